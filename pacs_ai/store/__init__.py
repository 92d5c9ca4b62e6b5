"""What the node remembers: rows in SQLite or PostgreSQL, bytes in the spool."""
