"""Migrations: whether any is missing, and running them."""

from adapters.postgres import migrate


def upgrade_database(url: str) -> str:
    """Run the missing migrations; returns the revision of the database."""
    migrate.upgrade(url)
    return migrate.current(url)


def database_is_behind(url: str) -> bool:
    """Whether migrations are missing."""
    return migrate.is_behind(url)
