from tests.entrypoints.conftest import anonymous, service, world

__all__ = ["anonymous", "service", "world"]
