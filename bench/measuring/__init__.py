"""What the measuring scripts share: running the command line from outside, and writing figures into pages."""
