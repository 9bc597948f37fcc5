import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.record import Record
from tests.support import processes, shared

STARTS_WITHIN = 90.0
STOPS_WITHIN = 30.0
START_AGAIN_AFTER = 0.3
"""Seconds."""
READY = (b"Style License listens on", b"relay started")
SURPRISES = (
    b"unexpected error",
    b"relay iteration failed",
    b"maintenance step failed",
    b"background task failed",
    b"cannot be timed out",
    b"cannot be settled",
)
"""Log messages that report an unexpected failure."""
EXCERPT = 60
"""Lines of the log that are shown with an unexpected failure."""


class Program:
    """A process of the service that a supervisor restarts whenever it ends."""

    def __init__(
        self, name: str, command: str, environment: Mapping[str, str], variants: tuple[str, ...], record: Record
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        """Set while it works."""
        self._command = [*entry(variants), command]
        self._environment = environment
        self._record = record
        self._process: asyncio.subprocess.Process | None = None
        self._killed = False
        self._stopping = False
        self._surprises: list[list[str]] = []
        self.log = Path(environment["DATA_DIR"]) / f"{name}.log"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Until the block ends; it then has to stop in good order."""
        keeping = asyncio.create_task(self._keep())
        try:
            try:
                async with asyncio.timeout(STARTS_WITHIN):
                    await self.ready.wait()
            except TimeoutError:
                raise AssertionError(f"{self.name} does not start:\n{self.last_output()}") from None
            yield
        finally:
            self._stopping = True
            if self._process is not None and self._process.returncode is None:
                self._process.terminate()
            _, late = await asyncio.wait([keeping], timeout=STOPS_WITHIN)
            if late and self._process is not None:
                self._record.wrong.append(f"{self.name} does not stop within {STOPS_WITHIN:.0f} s")
                self._process.kill()
            await keeping
            self._record.wrong += [f"{self.name} logs: {''.join(surprise)}" for surprise in self._surprises]

    def kill(self) -> None:
        """Kill it with SIGKILL; the supervisor restarts it."""
        if self._process is None or self._process.returncode is not None:
            return
        self.ready.clear()
        self._killed = True
        self._process.kill()

    async def _keep(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        while not self._stopping:
            await self._run()
            await asyncio.sleep(START_AGAIN_AFTER)

    async def _run(self) -> None:
        self._killed, came_up = False, False
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=_environment(self._environment),
            cwd=processes.NOWHERE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert self._process.stdout is not None
        with self.log.open("ab") as log:
            async for line in self._process.stdout:
                log.write(line)
                if any(words in line for words in READY):
                    came_up = True
                    self.ready.set()
                if any(words in line for words in SURPRISES):
                    self._surprises.append([])
                for surprise in self._surprises:
                    if len(surprise) < EXCERPT:
                        surprise.append(line.decode(errors="replace"))
        status = await self._process.wait()
        self.ready.clear()
        if self._killed:
            return
        if not came_up:
            self._record.counts["starts in vain"] += 1
        elif status or not self._stopping:
            self._record.wrong.append(f"{self.name} has ended by itself with {status}:\n{self.last_output()}")

    def last_output(self) -> str:
        return "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-40:])


def entry(variants: tuple[str, ...]) -> list[str]:
    """The service's command line, or one that first changes something in it."""
    if variants:
        return [sys.executable, "-m", "tests.faults.variants", ",".join(variants)]
    return [sys.executable, "-m", "entrypoints.cli"]


async def outcome(command: str, environment: Mapping[str, str]) -> tuple[int | None, str]:
    """Exit code and output of a command."""
    process = await asyncio.create_subprocess_exec(
        *(*entry(()), command),
        env=_environment(environment),
        cwd=processes.NOWHERE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    inherited = ("HOME", "LANG", shared.VARIABLE)  # the last one has whatever is left cleared away
    return processes.environment(*inherited, **variables)
