"""Training networks: examples, one loop, checkpoints, sessions."""
