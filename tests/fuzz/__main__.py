"""`python -m tests.fuzz images|multipart [SECONDS]`: look for more, and keep what fails in the corpus."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from random import SystemRandom

from tests.fuzz import corpus, images, multipart, test_images, test_multipart

KINDS: dict[str, tuple[Callable[[int], bytes], Callable[[bytes], Awaitable[object]]]] = {
    "images": (images.damaged, test_images.check),
    "multipart": (multipart.damaged, test_multipart.check),
}


async def main(kind: str, seconds: float) -> int:
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
    print(f"{tried:,} tried, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)))
