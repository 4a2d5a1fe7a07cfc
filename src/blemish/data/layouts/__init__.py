"""Layouts that folders of images have: one module a family, and the registry that says which one a folder has."""
