"""Similar defects: what was seen before that looks like this."""
