"""Blemish: visual defect inspection that learns from photographs of good parts.

Importing this package loads nothing heavy; each floor is imported by the verb that needs it.
"""

__version__ = "0.1.0"
