from collections.abc import Iterator
from contextlib import nullcontext

from tests.simulation.history import History, Mutant, run

LENGTH = 5_000
"""Steps of one history before it is brought to its end."""


def campaign(seed: int, *, steps: int, mutant: Mutant = nullcontext) -> Iterator[History]:
    """Histories of the seed and those after it, until all together have made so many steps. Raises HistoryFailed.

    Steps to the end of a history count, but are not cut short.
    """
    made = 0
    while made < steps:
        history = run(seed, steps=min(LENGTH, steps - made), mutant=mutant)
        yield history
        made += history.steps
        seed += 1
