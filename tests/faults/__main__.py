"""Injects faults into the service and its dependencies under load, and checks that nothing is lost or doubled."""

import argparse
import asyncio
import logging
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

from tests.faults.drill import perform
from tests.faults.plan import SHORT, Plan
from tests.faults.record import Record
from tests.faults.variants import MUTANTS
from tests.simulation.violation import Violation
from tests.support import rabbitmq, shared
from tests.support.batches import Batches


def main() -> int:
    arguments = _arguments()
    plan = SHORT if arguments.short else Plan(arguments.seed)
    plan = replace(
        plan,
        seed=arguments.seed,
        kills=plan.kills if arguments.kills is None else arguments.kills,
        variants=(*plan.variants, f"batches-{arguments.batches.value}"),
    )
    logging.disable()  # this process's clients log each failed connection to the broker
    warnings.filterwarnings("ignore", "coroutine 'Connection.close' was never awaited")
    shared.begin()
    try:
        rabbitmq.install_if_needed()
        if arguments.mutants is not None:
            return max([_run_mutant(plan, name) for name in arguments.mutants or MUTANTS])
        return _play(plan, arguments.logs)
    finally:
        shared.end()


def _play(plan: Plan, logs: Path | None) -> int:
    began = time.monotonic()
    print(f"{plan.kills} kills of the server and as many of the relay, from seed {plan.seed}.", flush=True)
    try:
        record = asyncio.run(perform(plan, lambda text: print(text, flush=True), logs=logs))
    except Violation as broken:
        print(f"BROKEN: {broken}")
        print(f'Repeat with: make test-faults ARGS="--seed {plan.seed} --kills {plan.kills}"')
        return 1
    _print_table(record)
    print(f"No task, token or result was lost or doubled. Seed {plan.seed}, {time.monotonic() - began:.0f} s.")
    return 0


def _run_mutant(plan: Plan, name: str) -> int:
    """Returns 1 if a mutated service passes."""
    try:
        asyncio.run(perform(replace(plan, variants=(*plan.variants, name))))
    except Violation as broken:
        print(f"{name}: found. {broken}"[:300], flush=True)
        return 0
    print(f"{name}: NOT found.", flush=True)
    return 1


def _print_table(record: Record) -> None:
    for name, number in sorted(record.counts.items()):
        print(f"{number:8,} {name}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000), help="of all choices")
    parser.add_argument("--kills", type=int, help="of the server, and as many of the relay (default: 20)")
    parser.add_argument("--short", action="store_true", help="the run of `make test`")
    parser.add_argument(
        "--batches",
        type=Batches,
        choices=Batches,
        metavar="{one,many,refused}",
        default=Batches.MANY,
        help="the service's batches: of one call, as many as wait (default), or each with one more that is refused",
    )
    parser.add_argument("--logs", type=Path, metavar="DIRECTORY", help="where to leave what the processes log")
    parser.add_argument(
        "--mutants", nargs="*", choices=MUTANTS, help="break the service in known ways, and see each found"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
