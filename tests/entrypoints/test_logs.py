import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from core.accounts.model import User
from entrypoints import logs
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


async def test_every_call_logs_one_line_with_trace_id_without_query(
    service: Service, world: MemoryWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    ann: User = await world.user()
    async with service.browser(ann) as browser:
        logs.configure(as_json=True)
        response = await browser.get("/api/styles?cursor=secret")
        await asyncio.sleep(0)  # lines are written at the end of an iteration of the loop
    (line,) = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert line.pop("time").endswith("Z")
    assert line.pop("milliseconds") >= 0
    assert line.pop("message").startswith("GET /api/styles 422 in ")
    assert line == {
        "severity": "INFO",
        "logger": "access",
        "method": "GET",
        "path": "/api/styles",
        "status": 422,
        "user_id": ann.id,
        "trace_id": response.headers["x-trace-id"],
    }


def test_the_line_of_a_request_is_the_same_with_and_without_a_record(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure(as_json=True)
    records: list[logging.LogRecord] = []

    def log() -> None:
        logs.log_request("GET", "/%s", status=None, seconds=0.0123, user_id=7)

    log()
    monkeypatch.setattr(logs.access_log, "handlers", [_Keeping(records)])
    log()
    assert [record.getMessage() for record in records] == ["GET /%s None in 12.3 ms"]
    first, second = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert first.pop("time") <= second.pop("time")
    assert list(first.items()) == list(second.items())


class _Keeping(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


def test_a_request_is_logged_as_json_without_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure(as_json=True)
    made: list[None] = []
    monkeypatch.setattr(logs.access_log, "makeRecord", lambda *_: made.append(None))
    logs.log_request("GET", "/", status=200, seconds=0.1, user_id=None)
    assert made == []


def test_a_level_above_it_silences_the_access_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=True)
    logging.getLogger().setLevel(logging.WARNING)
    logs.log_request("GET", "/", status=200, seconds=0.1, user_id=None)
    assert capsys.readouterr().err == ""


def test_an_error_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=True)
    logging.getLogger("somebody").error("It failed", exc_info=ValueError("swordfish"), extra={"fields": {"what": {1}}})
    (line,) = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert (line["severity"], line["message"], line["what"]) == ("ERROR", "It failed", [1])
    assert "ValueError: swordfish" in line["exception"]
    assert "trace_id" not in line


def test_plain_lines_contain_the_trace_id(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=False)
    token = logs.trace_id.set("abc")
    logging.getLogger("somebody").info("Hello")
    logs.trace_id.reset(token)
    logging.getLogger("somebody").info("Bye")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("INFO somebody: Hello [abc]")
    assert second.endswith("INFO somebody: Bye")


def test_plain_lines_escape_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=False)
    forged = "/\n2026-01-01 INFO access: forged\x1b[31m\u202e"
    logging.getLogger("somebody").error("GET %s", forged, exc_info=ValueError("\x1b[2J"))
    first, *traceback = capsys.readouterr().err.splitlines()
    assert first.endswith(r"ERROR somebody: GET /\n2026-01-01 INFO access: forged\x1b[31m\u202e")
    assert traceback == [r"ValueError: \x1b[2J"]


def test_client_libraries_do_not_log_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=False)
    logging.getLogger("httpx").info("HTTP Request: GET /")
    assert capsys.readouterr().err == ""


class Writes(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return super().write(text)


async def test_lines_of_one_loop_iteration_are_one_write() -> None:
    stream = Writes()
    logger = logging.getLogger("a few lines")
    logger.addHandler(logs.BatchingHandler(stream))
    logger.propagate = False
    for number in range(3):
        logger.warning("Line %s", number)
    await asyncio.sleep(0)
    logger.warning("Another turn")
    await asyncio.sleep(0)
    assert stream.written == ["Line 0\nLine 1\nLine 2\n", "Another turn\n"]


def test_lines_of_a_closed_loop_are_written() -> None:
    stream = Writes()
    handler = logs.BatchingHandler(stream)

    async def say(text: str) -> None:
        handler.emit(logging.makeLogRecord({"msg": text}))

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    task = first.create_task(say("one"))
    first.run_until_complete(task)
    first.close()
    second.run_until_complete(say("two"))
    second.close()
    handler.flush()
    assert stream.getvalue() == "one\ntwo\n"
