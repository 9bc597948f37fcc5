"""Which service the demo plays against."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from entrypoints.command_failed import CommandFailed
from entrypoints.data_directory import DataDirectory, Holder
from entrypoints.demo.service import running_service
from entrypoints.settings import read_settings
from tests.support.ports import free_port
from tests.support.processes import environment


class Service(BaseHTTPRequestHandler):
    """Just enough of a service for the demo to recognize it."""

    headers_sent: tuple[str, ...] = ("X-Trace-Id",)

    def do_GET(self) -> None:
        self.send_response(200)
        for name in self.headers_sent:
            self.send_header(name, "x")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


class SomethingElse(Service):
    headers_sent = ()


@contextmanager
def answering(handler: type[Service] = Service, *, port: int = 0) -> Iterator[int]:
    """The port of a server that runs until the block ends."""
    with HTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def chosen(folder: Path, **environ: str) -> str:
    with running_service(read_settings({"DATA_DIR": str(folder), "PORT": str(free_port()), **environ})) as base:
        return base


def holding(port: int) -> Holder:
    return Holder("run", 12, f"http://127.0.0.1:{port}")


def test_demo_uses_the_service_of_the_data_directory(tmp_path: Path) -> None:
    with answering() as port, DataDirectory(tmp_path).held(holding(port)):
        assert chosen(tmp_path) == f"http://127.0.0.1:{port}"


def test_demo_prefers_the_data_directory_to_the_port(tmp_path: Path) -> None:
    with answering(SomethingElse) as taken, answering() as port, DataDirectory(tmp_path).held(holding(port)):
        assert chosen(tmp_path, PORT=str(taken)) == f"http://127.0.0.1:{port}"


def test_demo_prefers_api_base_url(tmp_path: Path) -> None:
    with answering() as named, answering() as port, DataDirectory(tmp_path).held(holding(port)):
        assert chosen(tmp_path, API_BASE_URL=f"http://localhost:{named}") == f"http://localhost:{named}"


def test_demo_falls_back_to_the_port(tmp_path: Path) -> None:
    with answering() as port:
        assert chosen(tmp_path, PORT=str(port)) == f"http://127.0.0.1:{port}"


def test_demo_waits_for_a_starting_service(tmp_path: Path) -> None:
    bases: list[str] = []
    demo = threading.Thread(target=lambda: bases.append(chosen(tmp_path)))
    with socket.create_server(("127.0.0.1", 0)) as starting:
        port = starting.getsockname()[1]
        with DataDirectory(tmp_path).held(holding(port)):
            demo.start()
            starting.accept()[0].close()  # it has asked
            starting.close()
            with answering(port=port):
                demo.join()

    assert bases == [f"http://127.0.0.1:{port}"]


def test_demo_reports_a_service_that_ended_early(tmp_path: Path) -> None:
    refusals: list[Exception] = []

    def play() -> None:
        try:
            chosen(tmp_path)
        except CommandFailed as error:
            refusals.append(error)

    demo = threading.Thread(target=play)
    with socket.create_server(("127.0.0.1", 0)) as starting:
        port = starting.getsockname()[1]
        with DataDirectory(tmp_path).held(holding(port)):
            demo.start()
            starting.accept()[0].close()
        starting.close()
        demo.join()

    assert [str(error) for error in refusals] == [
        f"The service at http://127.0.0.1:{port} has ended before it answered."
    ]


def test_demo_refuses_another_server(tmp_path: Path) -> None:
    with answering(SomethingElse) as port, pytest.raises(CommandFailed, match="Something else answers at"):
        chosen(tmp_path, PORT=str(port))


def test_demo_refuses_a_directory_in_use(tmp_path: Path) -> None:
    with (
        DataDirectory(tmp_path).held(Holder("maintenance", 12)),
        pytest.raises(CommandFailed, match="in use by `maintenance`"),
    ):
        chosen(tmp_path)


def test_demo_reports_a_service_that_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "staging")  # the service that is started inherits it
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CommandFailed, match=r"The service has not started: .*APP_ENV='staging' is none of") as refused:
        chosen(tmp_path)

    assert "\n" not in str(refused.value)
