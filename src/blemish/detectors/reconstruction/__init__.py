"""Detectors that reconstruct good parts, and fail on defects."""
