"""RabbitMQ in a container."""

import shutil
import subprocess
import sys

from tests.support import shared
from tests.support.rabbitmq.server import VirtualHost, wait_until_started

IMAGE = "rabbitmq:3-management-alpine"


def docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0


def start_container() -> VirtualHost:
    """Start one, which is removed at the end of the run."""
    print(
        f"Starting a container of {IMAGE}: the tests need a real RabbitMQ, and none is running or installed here.",
        file=sys.__stderr__,
        flush=True,
    )
    publish = ["-p", "127.0.0.1::5672", "-p", "127.0.0.1::15672"]
    container = _docker("run", "--detach", "--rm", *publish, IMAGE)
    shared.run_command_at_end(["docker", "rm", "--force", container])
    port, management_port = (
        int(_docker("port", container, inside).splitlines()[0].rpartition(":")[2]) for inside in ("5672", "15672")
    )
    started = VirtualHost("127.0.0.1", port, management_port=management_port)
    wait_until_started(started, lambda: _docker("logs", "--tail", "50", container))
    return started


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()
