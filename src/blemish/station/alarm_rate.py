"""How often drift may be told by mistake, where nobody says; apart, as settings are read before numbers are."""

PARTS_PER_FALSE_ALARM = 1_000_000
"""Mean number of photographs to a false alarm, at least, of all tests together."""
