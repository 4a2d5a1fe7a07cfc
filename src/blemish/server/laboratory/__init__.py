"""The web page, a file for each tab."""
