"""`python -m tests.fuzz images|multipart|api [SECONDS]`: look for more.

Files and bodies that fail are kept in the corpus; of calls that fail, the command line that repeats them is printed.
"""

import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from itertools import cycle
from random import SystemRandom

from tests.fuzz import api, corpus, images, multipart, test_images, test_multipart

KINDS: dict[str, tuple[Callable[[int], bytes], Callable[[bytes], Awaitable[object]]]] = {
    "images": (images.damaged, test_images.check),
    "multipart": (multipart.damaged, test_multipart.check),
}


def main(kind: str, seconds: float) -> int:
    tried, failed = calls(seconds) if kind == "api" else asyncio.run(files(kind, seconds))
    print(f"{tried:,} tried, {failed} failed")
    return 1 if failed else 0


def calls(seconds: float) -> tuple[int, int]:
    """How many operations were called, by all who may, and how many of them failed."""
    tried, failed, end = 0, 0, time.monotonic() + seconds
    people, servers = ([api.Caller(role) for role in roles] for roles in (api.PEOPLE, api.SERVERS))
    who_may = [
        *((operation, people) for operation in api.operations(api.for_servers)),
        *((operation, servers) for operation in api.operations(api.for_people)),
    ]
    for operation, callers in cycle(who_may):
        if time.monotonic() > end:
            break
        tried += 1
        try:
            api.call_at_random(operation, callers, seed=SystemRandom().getrandbits(40))
        except Exception as error:  # whatever it is, it is a finding
            failed += 1
            traceback.print_exception(error)
    return tried, failed


async def files(kind: str, seconds: float) -> tuple[int, int]:
    make, check = KINDS[kind]
    first = SystemRandom().getrandbits(40)
    tried, failed, end = 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        content = make(first + tried)
        tried += 1
        try:
            await check(content)
        except Exception as error:  # whatever it is, it is a finding
            failed += 1
            print(f"{type(error).__name__}: {error}\n  kept as {corpus.keep(kind, content)}")
    return tried, failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0))
