"""The most frequent calls of the AI servers."""

import asyncio
from itertools import count, product

import msgspec

from benchmarks import history
from benchmarks.scenarios.scenario import BARE, SPEND, Request, Scenario, Target
from entrypoints.settings import Settings

AT_WORK = 500
"""Images in progress at the same time."""
STEPS = 40
"""Of each, in one measurement."""
COMPLETED = 6000
"""Images that one measurement completes, at most."""


def bearer(settings: Settings) -> str:
    """The inference server's bearer token."""
    return f"Bearer {settings.inference_tokens[0].reveal()}"


def scenarios(settings: Settings) -> list[Scenario]:
    """They need queued generations: measure them after the scenarios that request some."""
    headers = {
        "Authorization": bearer(settings),
        "X-Request-Source": "inference-server",
        "Content-Type": "application/json",
    }
    at_work: list[int] = []
    passes = count()

    def waiting(limit: int) -> list[int]:
        return asyncio.run(history.waiting(settings.database_dsn(), limit))

    def progress() -> list[Request]:
        """Every call advances an image, as the servers' calls do."""
        at_work.extend(waiting(AT_WORK) if not at_work else [])
        first = next(passes) * STEPS + 1
        return [
            Request(
                "PATCH",
                "/api/webhooks/inference/progress",
                headers,
                msgspec.json.encode(
                    {
                        "generation_id": image,
                        "progress": {
                            "current_step": step,
                            "total_steps": 1_000_000,
                            "progress_percent": step / 10_000,
                            "estimated_seconds": 10,
                        },
                    }
                ),
            )
            for step, image in product(range(first, first + STEPS), at_work)
        ]

    def complete() -> list[Request]:
        return [
            Request(
                "POST",
                "/api/webhooks/inference/complete",
                headers,
                msgspec.json.encode(
                    {
                        "generation_id": image,
                        "result_url": f"gs://stylelicense-media/generations/{image}.png",
                        "metadata": {"seed": 7, "steps": 30},
                    }
                ),
            )
            for image in waiting(COMPLETED)
        ]

    return [
        Scenario("PATCH /api/webhooks/inference/progress", progress, 200, Target(0.2, 0.3, BARE), once=True),
        Scenario("POST /api/webhooks/inference/complete", complete, 200, Target(0.25, 0.4, SPEND), once=True),
    ]
