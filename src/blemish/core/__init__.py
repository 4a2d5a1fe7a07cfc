"""Ground floor: errors, safe image decoding, safe storage, settings, progress, preprocessing."""
