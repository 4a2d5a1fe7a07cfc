"""Search for a detector's settings on validation folds, and their one measurement on the test images at its end."""
