"""Measurements in rounds, so that other load on the machine affects all of them alike; medians are reported."""

import statistics
from collections import defaultdict
from collections.abc import Callable

from benchmarks import pgbench
from benchmarks.figures import Call, Figures
from benchmarks.load import Load, Measured, drive
from benchmarks.round_trips import per_call
from benchmarks.scenarios.scenario import BARE, Request, Scenario
from benchmarks.servers import MEBIBYTE, Server
from benchmarks.stage import Stage

CONNECTIONS = 32
ALONE_SECONDS = 0.5
"""For calls one after another."""

_LIVE = Request("GET", "/api/health/live").raw


class _Round:
    """What one round has measured of a call."""

    def __init__(self, stage: Stage, scenario: Scenario, *, seconds: float) -> None:
        server, database = stage.server_seconds(), stage.database_seconds()
        self.measured = _drive(stage, scenario, seconds=seconds)
        self.server_ms = (stage.server_seconds() - server) * 1000 / self.measured.all_answers
        self.database_ms = (stage.database_seconds() - database) * 1000 / self.measured.all_answers
        self.memory = stage.memory()


def measure(
    stage: Stage, scenarios: list[Scenario], *, load: float, rounds: int, seconds: float, say: Callable[[str], None]
) -> Figures:
    """`load` is the load average before the run."""
    limits: dict[str, list[float]] = defaultdict(list)
    measured: dict[str, list[_Round]] = defaultdict(list)
    for number in range(rounds):
        say(f"Round {number + 1} of {rounds} ...")
        bare = Load(ports=_ports(stage.bare), requests=[_LIVE], expected=200, seconds=seconds)
        limits[BARE].append(drive(bare).rate)
        for limit in stage.limits:
            per_second = pgbench.per_second(limit, connections=CONNECTIONS, seconds=max(1, round(seconds)))
            limits[limit.name].append(per_second)
        for scenario in scenarios:
            measured[scenario.name].append(_Round(stage, scenario, seconds=seconds))
    say("At half of these rates, and one by one ...")
    memory = max(one.memory for several in measured.values() for one in several) / MEBIBYTE
    started = max(server.started_in for server in stage.service)
    rates = {name: statistics.median(several) for name, several in limits.items()}
    rates |= {name: statistics.median(one.measured.rate for one in several) for name, several in measured.items()}
    calls = []
    for scenario in scenarios:
        name, several = scenario.name, measured[scenario.name]
        calls.append(
            Call(
                name=name,
                rate=rates[name],
                p50=statistics.median(one.measured.p50 for one in several),
                p99=statistics.median(one.measured.p99 for one in several),
                p99_at_half=_drive(stage, scenario, seconds=seconds, rate=rates[name] / 2).p99,
                alone=_alone(stage, scenario).p50,
                server_ms=statistics.median(one.server_ms for one in several),
                database_ms=statistics.median(one.database_ms for one in several),
                statements=per_call(stage.settings, scenario),
                of=scenario.target.of,
                share=rates[name] / rates[scenario.target.of],
                bar=scenario.target.bar,
                goal=scenario.target.goal,
            )
        )
    return Figures(
        load=load,
        rounds=rounds,
        seconds=seconds,
        limits={name: rates[name] for name in limits},
        calls=calls,
        memory=memory,
        started_in=started,
    )


def _alone(stage: Stage, scenario: Scenario) -> Measured:
    """One call after another, on one idle process."""
    return drive(
        Load(
            ports=_ports(stage.service)[:1],
            requests=[request.raw for request in scenario.requests()],
            expected=scenario.expected,
            seconds=ALONE_SECONDS,
            warm_up=ALONE_SECONDS,
            connections=1,
            once=scenario.once,
        )
    )


def _drive(stage: Stage, scenario: Scenario, *, seconds: float, rate: float | None = None) -> Measured:
    return drive(
        Load(
            ports=_ports(stage.service),
            requests=[request.raw for request in scenario.requests()],
            expected=scenario.expected,
            seconds=seconds,
            connections=CONNECTIONS,
            rate=rate,
            once=scenario.once,
        )
    )


def _ports(servers: list[Server]) -> list[int]:
    return [server.port for server in servers]
