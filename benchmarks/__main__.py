"""Measure the service and its limits in one run: `make bench`, and `make bench ARGS=all` for every call.

`make bench ARGS=reads` measures the calls that only look, `ARGS=search` searching 100,000 styles.
`make bench ARGS=books` measures how long it takes to prove that a million transfers are in order, `ARGS=streams` what
live events cost and how soon they come, `ARGS=relay` how soon a task is in RabbitMQ, `ARGS=account-deletion`
how long the export and the erasure of a large account take, `ARGS=schema` what each check and trigger costs,
`ARGS=uploads` what uploads cost and how long others wait meanwhile.
"""

import argparse
import contextlib
import os
import platform
import sys
from statistics import median

from benchmarks import account_deletion, books, relay, schema, search, streams, uploads
from benchmarks.round_trips import per_call
from benchmarks.rounds import CONNECTIONS, WIDTHS, Results, at_half_speed, measure
from benchmarks.scenarios import reads, request_generation, webhooks
from benchmarks.scenarios.scenario import BARE, Scenario
from benchmarks.servers import MEBIBYTE
from benchmarks.stage import PROCESSES, Stage, stage
from benchmarks.table import table

INTERRUPTED = 130
ROUNDS = 3
SECONDS = 2.5
IDLE = 0.5
"""The load of a machine that has nothing else to do, at most."""
SLOWEST = 0.020
"""Seconds within which 99 of 100 answers are to come at half of the top rate."""

REPORTS = {
    "search": ("a process of the service and 100,000 styles, which takes a minute or more", search.report),
    "relay": ("a database and a RabbitMQ", relay.report),
    "account-deletion": ("a process of the service and somebody with a lot", account_deletion.report),
    "schema": ("a database with 100,000 generations", schema.report),
    "uploads": ("a process of the service and a gigabyte of pictures", uploads.report),
}
"""A benchmark's server, and the lines that describe it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=["main", "all", "reads", "books", "streams", *REPORTS],
        default="main",
        help="the main job, every call, the books, live events, the relay, account deletion, the schema, or uploads",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement in each round")
    arguments = parser.parse_args()
    busy = os.getloadavg()[0]
    if arguments.what in REPORTS:
        sets_up, report = REPORTS[arguments.what]
        _say(f"Setting up {sets_up} ...")
        print(_busy(busy) + report())
        return 0
    if arguments.what == "books":
        _say("Setting up a ledger of a million transfers ...")
        print(_busy(busy) + _books(books.look(rounds=arguments.rounds)))
        return 0
    _say("Setting up a database, two processes of the service and people with tokens ...")
    with stage(with_history=arguments.what in {"all", "reads"}) as set_up:
        if arguments.what == "streams":
            print(_busy(busy) + streams.report(set_up))
            return 0
        scenarios = request_generation.scenarios(set_up.people) if arguments.what != "reads" else []
        if arguments.what == "all":
            scenarios += webhooks.scenarios(set_up.settings)
        if arguments.what in {"all", "reads"}:
            scenarios += reads.scenarios(set_up.people, set_up.service[0].port)
        results = measure(set_up, scenarios, rounds=arguments.rounds, seconds=arguments.seconds, say=_say)
        print(_introduction(arguments.rounds, arguments.seconds, busy))
        print(_rates(scenarios, results))
        print(_targets(set_up, scenarios, results, arguments.seconds))
        print(_costs(set_up, scenarios))
    return 0


def _busy(load: float) -> str:
    if load <= IDLE:
        return ""
    return f"\nThe machine was busy before this began (load {load:.1f}): these figures say little.\n"


def _books(looked: books.Looked) -> str:
    took = median(looked.seconds)
    name = f"Reconciling {looked.transfers:,} transfers and {looked.generations:,} images"
    rows = [
        ["", f"median of {len(looked.seconds)}", "target", ""],
        [name, f"{took:.1f} s", f"< {books.SECONDS:g} s", _verdict(took < books.SECONDS)],
    ]
    return f"\n{table(rows)}\n"


def _introduction(rounds: int, seconds: float, busy: float) -> str:
    return f"""{_busy(busy)}
{os.cpu_count()} cores for everything, Python {platform.python_version()}; {CONNECTIONS} connections kept alive; \
medians of {rounds} rounds of {seconds:g} s each.
Sessions, CSRF checks and the limits of calls per minute (raised) are on. Each process of the service runs its relay \
as it always does; it publishes to a queue of its own that nobody reads (AI_SERVERS=none).
"""


def _rates(scenarios: list[Scenario], results: Results) -> str:
    rows = [["", *(heading for width in WIDTHS for heading in (_processes(width), "p50 ms", "p99 ms"))]]
    rows += [
        [
            name,
            *(
                figure
                for width in WIDTHS
                for figure in (
                    f"{results.rate(name, width):,.0f}/s",
                    f"{results.p50(name, width) * 1000:.1f}",
                    f"{results.p99(name, width) * 1000:.1f}",
                )
            ),
        ]
        for name in (BARE, *(scenario.name for scenario in scenarios))
    ]
    for name in results.by_pgbench:
        rows.insert(2, [name, f"{results.rate(name, 1):,.0f}/s", *[""] * (len(rows[0]) - 2)])
    return table(rows) + "\n"


def _targets(stage: Stage, scenarios: list[Scenario], results: Results, seconds: float) -> str:
    rows = [["", *(_processes(width) for width in WIDTHS), "target", ""]]
    for scenario in scenarios:
        name, target = scenario.name, scenario.target
        shares = [results.rate(name, width) / results.rate(target.of, width) for width in WIDTHS]
        rows.append(
            [
                f"{name}: share of {target.of}",
                *(f"{share:.2f}" for share in shares),
                f">= {target.share:.2f}",
                _verdict(shares[-1] >= target.share),
            ]
        )
    for scenario in scenarios:
        slowest = at_half_speed(stage, scenario, results, seconds=seconds).p99
        rows.append(
            [
                f"{scenario.name}: p99 at half of that rate",
                *[""] * (PROCESSES - 1),
                f"{slowest * 1000:.1f} ms",
                f"< {SLOWEST * 1000:.0f} ms",
                _verdict(slowest < SLOWEST),
            ]
        )
    return table(rows) + "\n"


def _costs(stage: Stage, scenarios: list[Scenario]) -> str:
    rows = [["SQL round trips per call", ""]]
    rows += [[scenario.name, f"{per_call(stage.settings, scenario):.2f}"] for scenario in scenarios]
    memory = max(server.memory for server in stage.service) / MEBIBYTE
    started = max(server.started_in for server in stage.service)
    return f"""{table(rows)}

Memory of a process of the service after that: {memory:.0f} MB. From its start to the first answer: {started:.1f} s.
"""


def _processes(width: int) -> str:
    return "1 process" if width == 1 else f"{width} processes"


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(INTERRUPTED)
