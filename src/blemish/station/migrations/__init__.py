"""Alembic's migrations of the history; they travel in the wheel, and `Database.upgrade` runs them."""
