"""The database and the spool: rows in SQLite or PostgreSQL, bytes in files."""
