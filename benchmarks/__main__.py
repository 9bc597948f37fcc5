"""Measure every call of the service and its limits in one run.

`make bench ARGS=main` measures requests for generations only, `ARGS=reads` only reads, `ARGS=search` searches among
100,000 styles. `ARGS="--scale 20"` measures with a million images, `ARGS="--json FILE"` saves the figures, and
`COMPARE=FILE` prints ratios to saved ones.
`make bench ARGS=books` measures the duration of a reconciliation of a million transfers, `ARGS=streams` the memory and
latency of live events, `ARGS=relay` the time from a commit to the confirmation by RabbitMQ, `ARGS=account-deletion` the
export and erasure of a large account, `ARGS=schema` the cost of each check and trigger, `ARGS=uploads` the duration,
memory and effect on other users of uploads, `ARGS=images` the bytes of a page of the feed,
`ARGS=near-copies` the search for copies among 100,000 artworks.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import account_deletion, books, history, images, near_copies, relay, schema, search, streams, uploads
from benchmarks.figures import Figures, compared, shown
from benchmarks.rounds import CONNECTIONS, measure
from benchmarks.scenarios import reads, request_generation, webhooks
from benchmarks.stage import PROCESSES, stage
from benchmarks.table import table

INTERRUPTED = 130
ROUNDS = 3
SECONDS = 2.5
IDLE = 0.5
"""The maximum load average of an idle machine."""
CONDITIONS = f"""
{CONNECTIONS} connections kept alive to {PROCESSES} processes. Sessions, CSRF checks and rate limits (raised) are on. \
Each process of the service runs its relay
as always; it publishes to a queue of its own without consumers (AI_SERVERS=none).
"""

REPORTS = {
    "search": ("a process of the service and 100,000 styles, which takes a minute or more", search.report),
    "relay": ("a database and a RabbitMQ", relay.report),
    "account-deletion": ("a process of the service and a large account", account_deletion.report),
    "schema": ("a database with 100,000 generations", schema.report),
    "near-copies": ("a database with 100,000 artworks", near_copies.report),
    "images": ("60 images", images.report),
    "uploads": ("a process of the service and a gigabyte of pictures", uploads.report),
}
"""A benchmark's server, and the lines that describe it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=["main", "all", "reads", "books", "streams", *REPORTS],
        default="all",
        help="every call (default), requests for generations, reads, or one of the other benchmarks",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement in each round")
    parser.add_argument("--scale", type=int, default=1, help=f"how many times {history.IMAGES:,} images there are")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--compare", type=Path, help="the file of another run, to print ratios")
    arguments = parser.parse_args()
    before = arguments.compare and msgspec.json.decode(arguments.compare.read_bytes(), type=Figures)
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
    with stage(with_history=arguments.what in {"all", "reads"}, scale=arguments.scale) as set_up:
        if arguments.what == "streams":
            print(_busy(busy) + streams.report(set_up))
            return 0
        scenarios = request_generation.scenarios(set_up.users) if arguments.what != "reads" else []
        if arguments.what == "all":
            scenarios += webhooks.scenarios(set_up.settings)
        if arguments.what in {"all", "reads"}:
            scenarios += reads.scenarios(set_up.users, set_up.service[0].port)
        figures = measure(set_up, scenarios, load=busy, rounds=arguments.rounds, seconds=arguments.seconds, say=_say)
    print(_busy(busy) + CONDITIONS + shown(figures))
    if before:
        print(_busy(before.load) + compared(figures, before))
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    return 0


def _busy(load: float) -> str:
    if load <= IDLE:
        return ""
    return f"\nThe machine was busy before this began (load {load:.1f}): do not rely on these figures.\n"


def _books(looked: books.Looked) -> str:
    took = median(looked.seconds)
    name = f"Reconciling {looked.transfers:,} transfers and {looked.generations:,} images"
    rows = [
        ["", f"median of {len(looked.seconds)}", "target", ""],
        [name, f"{took:.1f} s", f"< {books.SECONDS:g} s", _verdict(took < books.SECONDS)],
    ]
    return f"\n{table(rows)}\n"


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(INTERRUPTED)
