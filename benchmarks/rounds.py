"""Measurements in rounds, so that other load on the machine affects all of them alike; medians are reported."""

import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks import pgbench
from benchmarks.load import Load, Measured, drive
from benchmarks.scenarios.scenario import BARE, Request, Scenario
from benchmarks.servers import Server
from benchmarks.stage import PROCESSES, Stage

CONNECTIONS = 32
WIDTHS = range(1, PROCESSES + 1)
"""Numbers of processes to measure with."""

_LIVE = Request("GET", "/api/health/live").raw


@dataclass(slots=True)
class Results:
    by_http: dict[tuple[str, int], list[Measured]] = field(default_factory=lambda: defaultdict(list))
    """By what was measured and on how many processes."""
    by_pgbench: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Times a second."""

    def rate(self, name: str, width: int) -> float:
        """A second; what PostgreSQL does alone does not depend on the number of processes."""
        if name in self.by_pgbench:
            return statistics.median(self.by_pgbench[name])
        return statistics.median(measured.rate for measured in self.by_http[name, width])

    def p50(self, name: str, width: int) -> float:
        """Seconds."""
        return statistics.median(measured.p50 for measured in self.by_http[name, width])

    def p99(self, name: str, width: int) -> float:
        """Seconds."""
        return statistics.median(measured.p99 for measured in self.by_http[name, width])


def measure(
    stage: Stage, scenarios: list[Scenario], *, rounds: int, seconds: float, say: Callable[[str], None]
) -> Results:
    results = Results()
    for number in range(rounds):
        say(f"Round {number + 1} of {rounds} ...")
        for width in WIDTHS:
            bare = Load(ports=_ports(stage.bare, width), requests=[_LIVE], expected=200, seconds=seconds)
            results.by_http[BARE, width].append(drive(bare))
        for limit in stage.limits:
            per_second = pgbench.per_second(limit, connections=CONNECTIONS, seconds=max(1, round(seconds)))
            results.by_pgbench[limit.name].append(per_second)
        for scenario in scenarios:
            for width in WIDTHS:
                results.by_http[scenario.name, width].append(_drive(stage, scenario, width, seconds=seconds))
    return results


def at_half_speed(stage: Stage, scenario: Scenario, results: Results, *, seconds: float) -> Measured:
    """On all processes, at half of the rate that they reach."""
    return _drive(stage, scenario, PROCESSES, seconds=seconds, rate=results.rate(scenario.name, PROCESSES) / 2)


def _drive(stage: Stage, scenario: Scenario, width: int, *, seconds: float, rate: float | None = None) -> Measured:
    return drive(
        Load(
            ports=_ports(stage.service, width),
            requests=[request.raw for request in scenario.requests()],
            expected=scenario.expected,
            seconds=seconds,
            connections=CONNECTIONS,
            rate=rate,
            once=scenario.once,
        )
    )


def _ports(servers: list[Server], width: int) -> list[int]:
    return [server.port for server in servers[:width]]
