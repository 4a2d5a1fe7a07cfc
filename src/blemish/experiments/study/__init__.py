"""The study of the classical detectors: features by split by model, chosen on validation and measured once on test."""
