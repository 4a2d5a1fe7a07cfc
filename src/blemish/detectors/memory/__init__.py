"""Detectors that remember good parts: patch features, and how they are distributed."""
