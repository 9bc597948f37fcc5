"""The main flow: request a generation."""

from collections.abc import Iterable
from itertools import cycle

from benchmarks.scenarios.scenario import SPEND, Request, Scenario, Target, as_browser
from benchmarks.users import Browser, Population
from core.identifiers import StyleId

MANY_STYLES = "POST /api/generations, many styles"
ONE_STYLE = "POST /api/generations, one style"


def scenarios(users: Population) -> list[Scenario]:
    many = _requests(users.buyers, cycle(users.styles))
    one = _requests(users.buyers, cycle(users.styles[:1]))
    return [
        Scenario(MANY_STYLES, lambda: many, 201, Target(0.3, 0.5, SPEND)),
        Scenario(ONE_STYLE, lambda: one, 201, Target(0.9, 0.95, MANY_STYLES)),
    ]


def _requests(buyers: list[Browser], styles: Iterable[StyleId]) -> list[Request]:
    """Consecutive requests share only what the scenario says."""
    return [
        as_browser(
            buyer,
            "POST",
            "/api/generations",
            {"style_id": style, "prompt_tags": ["woman", "portrait", "evening light"], "aspect_ratio": "1:1"},
        )
        for buyer, style in zip(buyers, styles, strict=False)
    ]
