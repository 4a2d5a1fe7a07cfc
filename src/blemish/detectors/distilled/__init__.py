"""Detectors whose student fails to follow its teacher on defects."""
