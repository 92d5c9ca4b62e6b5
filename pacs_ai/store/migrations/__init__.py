"""Schema steps (Alembic), from the first release on."""
