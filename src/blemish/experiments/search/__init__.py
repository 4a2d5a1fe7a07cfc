"""Search for a detector's settings on validation folds, and the one measurement on the test part at its end."""
