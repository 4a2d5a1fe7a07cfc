"""Detectors that learn from defects: labelled, marked, or painted."""
