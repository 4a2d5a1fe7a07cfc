"""One file per detector, one registry, one contract."""
