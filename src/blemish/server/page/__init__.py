"""The page at the line: server-rendered, every thing with an address of its own."""
