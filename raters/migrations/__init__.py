"""Alembic's migrations of a study's database: `raters.migrate` runs them, never a server."""
