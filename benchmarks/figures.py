"""The figures of one run of the benchmark: printed, saved and compared."""

import os
import platform

import msgspec

from benchmarks.table import table

SLOWEST = 0.020
"""Target for the 99th percentile at half of the top rate, in seconds."""
LARGEST = 150
"""Megabytes of a process under load."""
STARTED = 1.5
"""Seconds from the start of a process to its first answer."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    rate: float
    """Answers a second."""
    p50: float
    """Seconds, as all of these."""
    p99: float
    p99_at_half: float
    """At half of the rate."""
    alone: float
    """The median of calls one after another."""
    server_ms: float
    """CPU milliseconds of the service per call."""
    database_ms: float
    """CPU milliseconds of PostgreSQL per call."""
    statements: float
    """Per call that is alone."""
    of: str
    """What its rate is compared with."""
    share: float
    bar: float
    goal: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    load: float
    """Of the machine before the run began."""
    rounds: int
    seconds: float
    limits: dict[str, float]
    """Times a second."""
    calls: list[Call]
    memory: float
    """Megabytes of the largest process of the service, under load."""
    started_in: float
    """Seconds from the start of a process to its first answer."""


def shown(figures: Figures) -> str:
    return f"""{os.cpu_count()} cores for everything, Python {platform.python_version()}; \
medians of {figures.rounds} rounds of {figures.seconds:g} s each.

{_limits(figures)}

{_rates(figures)}

{_targets(figures)}

Memory of a process of the service under load: {figures.memory:.0f} MB ({_met(figures.memory <= LARGEST)}: {LARGEST}).
From its start to the first answer: {figures.started_in:.1f} s ({_met(figures.started_in <= STARTED)}: {STARTED:g}).
"""


def compared(now: Figures, before: Figures) -> str:
    """Ratios of this run to another. Shares of limits of the same run say more than rates."""
    old = {call.name: call for call in before.calls}
    rows = [["this run / the other", "share", "rate", "p99", "alone", "server CPU", "database CPU", "statements"]]
    rows += [
        [
            call.name,
            *(
                _ratio(getattr(call, field), getattr(old[call.name], field))
                for field in ("share", "rate", "p99", "alone", "server_ms", "database_ms", "statements")
            ),
        ]
        for call in now.calls
        if call.name in old
    ]
    rows += [
        [name, "", _ratio(rate, before.limits[name]), *[""] * 5]
        for name, rate in now.limits.items()
        if name in before.limits
    ]
    return table(rows) + "\n"


def _limits(figures: Figures) -> str:
    return table([["limits", "per second"], *([name, f"{rate:,.0f}"] for name, rate in figures.limits.items())])


def _rates(figures: Figures) -> str:
    rows = [["", "per second", "p50 ms", "p99 ms", "alone ms", "server CPU ms", "database CPU ms", "statements"]]
    rows += [
        [
            call.name,
            f"{call.rate:,.0f}",
            *(f"{seconds * 1000:.1f}" for seconds in (call.p50, call.p99, call.alone)),
            f"{call.server_ms:.2f}",
            f"{call.database_ms:.2f}",
            f"{call.statements:.2f}",
        ]
        for call in figures.calls
    ]
    return table(rows)


def _targets(figures: Figures) -> str:
    rows = [["share of its limit", "", "bar", "goal", "", "p99 ms at half", ""]]
    rows += [
        [
            f"{call.name}: of {call.of}",
            f"{call.share:.2f}",
            f"{call.bar:.2f}",
            f"{call.goal:.2f}",
            "goal met" if call.share >= call.goal else _met(call.share >= call.bar),
            f"{call.p99_at_half * 1000:.1f}",
            _met(call.p99_at_half <= SLOWEST),
        ]
        for call in figures.calls
    ]
    return table(rows)


def _met(met: bool) -> str:
    return "met" if met else "missed"


def _ratio(now: float, before: float) -> str:
    return f"{now / before:.2f}" if before else ""
