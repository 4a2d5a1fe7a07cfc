"""Catalogs of images and where they come from: layouts, checks, downloads, the sample line."""
