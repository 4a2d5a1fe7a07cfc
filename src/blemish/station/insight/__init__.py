"""What the log says of the process: which defects, where, since when, in which shift, and what changed then."""
