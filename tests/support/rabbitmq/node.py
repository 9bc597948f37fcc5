"""A RabbitMQ node of the installed package, private to a test run."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import psutil

from tests.support import shared
from tests.support.ports import free_port
from tests.support.rabbitmq.server import VirtualHost, wait_until_started


class Node:
    """A private RabbitMQ node, with its state in a directory, that can be stopped, killed and frozen."""

    def __init__(self, directory: Path, server: Path) -> None:
        self._directory = directory
        self._server = server
        self._name = f"style-license-{uuid4().hex[:8]}@localhost"
        self._epmd_port = free_port()
        self._distribution_port = free_port()
        self.broker = VirtualHost("127.0.0.1", free_port(), management_port=free_port())

    def start(self) -> None:
        """Start the node, or start it again with the state that it had."""
        self._configure()
        command = [str(self._server), "-detached"]
        run = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{self._server} refuses to start:\n{run.stdout}{run.stderr}")
        wait_until_started(self.broker, self._last_logs)

    def stop(self) -> None:
        """Shut the node down cleanly, which takes several seconds."""
        shared.stop_process(self.pid)

    def kill(self) -> None:
        shared.stop_process(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process with SIGSTOP: connections stay open and get no answers.

        Returns when each of its threads has stopped: one that runs may go on for a moment.
        """
        psutil.Process(self.pid).suspend()
        while not self._has_stopped():
            time.sleep(0.001)

    def thaw(self) -> None:
        psutil.Process(self.pid).resume()

    def _has_stopped(self) -> bool:
        """By the state of each thread, which follows its name in parentheses (proc_pid_stat(5))."""
        threads = [path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        return all(thread.rpartition(") ")[2].startswith("T") for thread in threads)

    @property
    def pid(self) -> int:
        return int((self._directory / "pid").read_text())

    @property
    def epmd_pid(self) -> int | None:
        """The port mapper that the node has started for itself: it outlives the node."""
        for process in psutil.process_iter(["name"]):
            with contextlib.suppress(psutil.Error):
                if process.info["name"] == "epmd" and process.environ().get("ERL_EPMD_PORT") == str(self._epmd_port):
                    return int(process.pid)
        return None

    def close(self) -> None:
        """Kill the node and delete its state."""
        with contextlib.suppress(FileNotFoundError):
            self.kill()
        if epmd := self.epmd_pid:
            shared.stop_process(epmd)

    def _configure(self) -> None:
        (self._directory / "plugins").write_text("[rabbitmq_management].\n")
        (self._directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.broker.port}\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.broker.management_port}\n"
            "disk_free_limit.absolute = 10MB\n"
            "log.file.level = warning\n"
        )

    @property
    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "HOME": str(self._directory),
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONFIG_FILE": str(self._directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_MNESIA_BASE": str(self._directory / "data"),
            "RABBITMQ_LOG_BASE": str(self._directory / "log"),
            "RABBITMQ_PID_FILE": str(self._directory / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "plugins"),
            # On a small machine the busy-waiting of idle schedulers slows the tests down.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _last_logs(self) -> str:
        logs = sorted((self._directory / "log").glob("*.log"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs)
