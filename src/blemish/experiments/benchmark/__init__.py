"""Detectors side by side: on whole categories, and on one photograph."""
