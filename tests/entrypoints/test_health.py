import tomllib
from pathlib import Path

import pytest

from entrypoints.http.version import VERSION
from tests.entrypoints.service import Browser, Service


async def test_all_dependencies_are_ok(anonymous: Browser) -> None:
    response = await anonymous.get("/api/health")
    assert (response.status_code, response.json()["data"]) == (
        200,
        {"status": "ok", "version": VERSION, "checks": {"database": "ok", "queue": "ok", "storage": "ok"}},
    )


@pytest.mark.parametrize("part", ["queue", "storage"])
async def test_without_queue_or_storage_the_service_is_degraded(
    service: Service, anonymous: Browser, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    async def unreachable() -> bool:
        return False

    monkeypatch.setattr(service.broker if part == "queue" else service.world.blobs, "reachable", unreachable)
    response = await anonymous.get("/api/health")
    assert response.status_code == 200
    health = response.json()["data"]
    assert health["status"] == "degraded"
    assert {name for name, state in health["checks"].items() if state != "ok"} == {part}
    assert (await anonymous.get("/api/health/ready")).status_code == 200


async def test_without_the_database_the_service_is_unavailable(
    service: Service, anonymous: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable() -> bool:
        return False

    monkeypatch.setattr(service.world.database, "reachable", unreachable)
    for path in ("/api/health", "/api/health/ready"):
        response = await anonymous.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (503, "DATABASE_UNAVAILABLE")
    checks = (await anonymous.get("/api/health")).json()["error"]["details"]["checks"]
    assert checks == {"database": "unreachable", "queue": "ok", "storage": "ok"}
    assert (await anonymous.get("/api/health/live")).status_code == 200


def test_the_version_is_that_of_the_project(project_directory: Path) -> None:
    project = tomllib.loads((project_directory / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
