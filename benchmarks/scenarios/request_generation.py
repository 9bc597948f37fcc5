"""The main flow: request a generation."""

from collections.abc import Iterable
from itertools import cycle

from benchmarks.people import Browser, People
from benchmarks.scenarios.scenario import SPEND, Request, Scenario, Target, as_browser
from core.identifiers import StyleId

MANY_STYLES = "POST /api/generations, many styles"
ONE_STYLE = "POST /api/generations, one style"


def scenarios(people: People) -> list[Scenario]:
    many = _requests(people.buyers, cycle(people.styles))
    one = _requests(people.buyers, cycle(people.styles[:1]))
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
