"""Upgrading the database, and finding out whether that is necessary."""

from adapters.postgres import migrate


def upgrade_database(url: str) -> str:
    """Run the migrations that are missing; the revision that the database is at then."""
    migrate.upgrade(url)
    return migrate.current(url)


def database_is_behind(url: str) -> bool:
    """Whether migrations are missing."""
    return migrate.is_behind(url)
