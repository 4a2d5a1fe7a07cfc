"""Experiments: benchmark, search and study, each in cells that are kept."""
