"""How many photographs of passes are held until a person may say that a defect was missed."""

BUFFER_MEGABYTES = 1000.0
"""Of passes held for a while: some thousands of photographs, hours of most lines."""
