"""Plays random histories of the service over its memory adapters, and checks every invariant after every step."""

import argparse
import logging
import sys
import time
from random import SystemRandom

from tests.simulation.campaign import LENGTH, campaign
from tests.simulation.history import HistoryFailed
from tests.simulation.mutants import MUTANTS

STEPS = 300_000
HUNT = 1_000_000
"""The rarest mutants are found after some 150,000 steps on average, but not with every seed."""


def main() -> int:
    arguments = _arguments()
    logging.disable()
    if not arguments.mutants:
        return _play(arguments.seed, arguments.steps or STEPS)
    return max([_hunt(name, arguments.seed, arguments.steps or HUNT) for name in MUTANTS])


def _play(seed: int, steps: int) -> int:
    began = time.monotonic()
    made = commits = images = purchases = 0
    print(f"Histories of {LENGTH:,} steps and their ends, from seed {seed} on.", flush=True)
    try:
        for history in campaign(seed, steps=steps):
            made += history.steps
            commits += history.commits
            images += history.images
            purchases += history.purchases
    except HistoryFailed as broken:
        print(broken)
        print(f'Replay it: make simulate ARGS="--seed {broken.seed} --steps {broken.steps}"')
        return 1
    took = time.monotonic() - began
    print(f"{made:,} steps, {commits:,} commits, {images:,} images, {purchases:,} purchases: every invariant holds.")
    print(f"{made / took * 60:,.0f} steps a minute.")
    return 0


def _hunt(name: str, seed: int, steps: int) -> int:
    """Whether a mutant survives."""
    began, made = time.monotonic(), 0
    try:
        for history in campaign(seed, steps=steps, mutant=MUTANTS[name]):
            made += history.steps
    except HistoryFailed as broken:
        took = time.monotonic() - began
        print(f"{name}: found after {made + broken.step:,} steps, {took:.1f} s. {broken.reason}"[:160], flush=True)
        return 0
    print(f"{name}: NOT found in {made:,} steps.", flush=True)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000), help="of the first history")
    parser.add_argument(
        "--steps", type=int, help=f"of all histories together (default: {STEPS:,}; for each mutant {HUNT:,})"
    )
    parser.add_argument("--mutants", action="store_true", help="take safeguards out, and see that each is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
