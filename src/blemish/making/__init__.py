"""From a catalog to an artifact: fit, calibrate, check parity, write."""
