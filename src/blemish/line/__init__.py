"""The artifact `NAME.blemish` and its runtime, which needs no torch."""
