"""What of a photograph is looked at, and how: one function for the laboratory and the line, without torch."""
