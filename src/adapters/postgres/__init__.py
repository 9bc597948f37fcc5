"""PostgreSQL 15 or newer, with asyncpg and hand-written SQL."""
