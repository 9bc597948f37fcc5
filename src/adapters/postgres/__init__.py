"""The ports on PostgreSQL, 15 or newer: asyncpg, and SQL written by hand."""
