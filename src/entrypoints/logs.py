"""Log output: JSON lines in production, plain lines in development."""

import asyncio
import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""The trace id of the current request, also sent in its response; None outside of requests."""

access_log = logging.getLogger("access")

CHATTY = ("httpx", "alembic.runtime.plugins")
"""Loggers that write a line for each call."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, line separators and changes of the writing direction."""


def configure(*, as_json: bool) -> None:
    """Log to the standard error from now on, and nowhere else."""
    # What no format here shows, and costs each record a look at its caller, thread and process (logging HOWTO,
    # "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = BatchingHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else PlainLines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_request(method: str, path: str, *, status: int | None, seconds: float, user_id: int | None) -> None:
    """One line for each request; its path without the query, which may contain credentials.

    Where this line is all that is written of it, no record is made for it: that would cost a request a twentieth more.
    """
    milliseconds = round(seconds * 1000, 1)
    fields = {"method": method, "path": path, "status": status, "milliseconds": milliseconds, "user_id": user_id}
    message = f"{method} {path} {status} in {milliseconds} ms"
    if not access_log.isEnabledFor(logging.INFO):
        return
    match [*access_log.handlers, *logging.getLogger().handlers]:
        case [BatchingHandler(formatter=JsonLines()) as only]:
            only.write(json_line(datetime.now(UTC), "INFO", access_log.name, message, fields))
        case _:
            access_log.info(message, extra={"fields": fields})


class BatchingHandler(logging.StreamHandler[TextIO]):
    """Writes all lines of one turn of the event loop at once; outside of a loop each line by itself."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop that will write them."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.write(self.format(record))
        except Exception:
            self.handleError(record)

    def write(self, line: str) -> None:
        """Write a line as it is, without a record."""
        self.acquire()
        try:
            self._lines.append(line + self.terminator)
            loop = _running_loop()
            if loop is None:
                self.flush()
            elif loop is not self._loop:
                self._loop = loop
                loop.call_soon(self.flush)
        finally:
            self.release()

    def flush(self) -> None:
        self.acquire()
        try:
            lines, self._lines, self._loop = self._lines, [], None
            self.stream.write("".join(lines))
            super().flush()
        finally:
            self.release()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class JsonLines(logging.Formatter):
    """With Google Cloud's field names, the `fields` of `extra`, and the trace id of the request."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = getattr(record, "fields", {})
        if record.exc_info:
            fields = {**fields, "exception": self.formatException(record.exc_info)}
        at = datetime.fromtimestamp(record.created, UTC)
        return json_line(at, record.levelname, record.name, record.getMessage(), fields)


def json_line(at: datetime, severity: str, logger: str, message: str, fields: Mapping[str, object]) -> str:
    line: dict[str, object] = {"time": at, "severity": severity, "logger": logger, "message": message, **fields}
    if trace := trace_id.get():
        line["trace_id"] = trace
    return msgspec.json.encode(line, enc_hook=str).decode()


class PlainLines(logging.Formatter):
    """Control characters are escaped: what clients send can neither forge a line nor command the terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = _escaped(super().formatMessage(record))
        return f"{line} [{trace}]" if (trace := trace_id.get()) else line

    def formatException(self, ei: Any) -> str:
        return "\n".join(_escaped(line) for line in super().formatException(ei).split("\n"))


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
