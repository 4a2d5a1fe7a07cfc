"""The study of the classical detectors: features by split by model, chosen on validation, measured once on test."""
