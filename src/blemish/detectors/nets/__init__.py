"""Networks of the detectors."""
