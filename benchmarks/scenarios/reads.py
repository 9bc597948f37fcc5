"""The most frequent reads."""

from collections.abc import Iterable
from urllib.parse import quote

import httpx

from benchmarks.scenarios.scenario import BARE, PAGE, Scenario, Target, as_browser
from benchmarks.users import Population

DEEP = 40_000
"""Rows."""
FEED = "/api/generations/feed"


def scenarios(users: Population, port: int) -> list[Scenario]:
    images, deep = _look_through(port)
    return [
        _scenario(users, "/api/auth/me", Target(0.25, 0.4, BARE)),
        _scenario(users, "/api/tokens/balance", Target(0.25, 0.4, BARE)),
        _scenario(users, FEED, Target(0.3, 0.4, PAGE)),
        _scenario(users, f"{FEED}?cursor={quote(deep)}", Target(0.3, 0.4, PAGE), f"GET {FEED}, {DEEP:,} rows deep"),
        _scenario(users, "/api/styles", Target(0.12, 0.2, BARE)),
        _scenario(users, "/api/styles/{}", Target(0.17, 0.25, BARE), ids=users.styles),
        _scenario(users, "/api/notifications", Target(0.15, 0.25, BARE)),
        _scenario(users, "/api/generations/{}", Target(0.2, 0.35, BARE), ids=images),
    ]


def _scenario(
    users: Population, path: str, target: Target, name: str | None = None, *, ids: Iterable[int] = (0,)
) -> Scenario:
    """Every user reads each of the ids in turn."""
    ids = list(ids)
    requests = [
        as_browser(users.buyers[place % len(users.buyers)], "GET", path.format(ids[place % len(ids)]))
        for place in range(max(len(users.buyers), len(ids)))
    ]
    return Scenario(name or f"GET {path.format('{id}')}", lambda: requests, 200, target)


def _look_through(port: int) -> tuple[list[int], str]:
    """The newest public images, and the cursor of the page that is DEEP rows down the feed."""
    images: list[int] = []
    cursor = None
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(DEEP // 100):
            query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
            page = client.get(FEED, params=query).raise_for_status().json()["data"]
            images += [image["id"] for image in page["results"]]
            cursor = page["next_cursor"]
    return images[:1000], str(cursor)
