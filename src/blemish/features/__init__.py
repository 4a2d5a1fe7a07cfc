"""Frozen backbones, their taps, and the cache of their features."""
