"""History and storage of a station: database, log of inspections, kept images, inspectors, keys, statistics."""
