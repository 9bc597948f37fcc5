"""RabbitMQ's package: where it is installed, and how to install it."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HOW_TO_HELP = """No RabbitMQ is to be had, and the tests need a real one. Any of these helps:
  - install it: `apt-get install rabbitmq-server` (Debian, Ubuntu) or `brew install rabbitmq` (macOS);
  - start Docker;
  - name one: RABBITMQ_HOST (and RABBITMQ_PORT, RABBITMQ_USER, RABBITMQ_PASS, RABBITMQ_VHOST)."""
ANNOUNCEMENT = (
    "Installing Debian's package rabbitmq-server with apt-get (once, about a minute): "
    "the tests need a real RabbitMQ, and none is running or installed here."
)
COMMANDS = (
    ["apt-get", "-q", "update"],
    ["apt-get", "-q", "install", "-y", "--no-install-recommends", "rabbitmq-server"],
)
POLICY = Path("/usr/sbin/policy-rc.d")


def server() -> Path:
    """Return the installed server, installing it first if possible. Raises RuntimeError with other ways to get one."""
    if not installed_server() and can_install():
        install()
    if found := installed_server():
        return found
    raise RuntimeError(HOW_TO_HELP)


def installed_server() -> Path | None:
    # Debian's /usr/sbin/rabbitmq-server insists on the system's user and directories; the one it wraps does not.
    candidates = [Path("/usr/lib/rabbitmq/bin/rabbitmq-server")]
    candidates += [Path(found)] if (found := shutil.which("rabbitmq-server")) else []
    candidates += [Path(f"{prefix}/sbin/rabbitmq-server") for prefix in ("/opt/homebrew", "/usr/local")]
    return next((candidate for candidate in candidates if candidate.exists()), None)


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install() -> None:
    """Announce and install the package. Raises RuntimeError with apt-get's output and other ways to get a server."""
    print(ANNOUNCEMENT, file=sys.__stderr__, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_off():
        for command in COMMANDS:
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if run.returncode:
                raise RuntimeError(f"`{' '.join(command)}` failed:\n{run.stdout}{run.stderr}\n{HOW_TO_HELP}")


@contextlib.contextmanager
def _services_stay_off() -> Iterator[None]:
    """Debian asks this file before a package starts its service; the tests start a node of their own instead."""
    before = (POLICY.read_bytes(), POLICY.stat().st_mode) if POLICY.exists() else None
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            POLICY.unlink()
        else:
            POLICY.write_bytes(before[0])
            POLICY.chmod(before[1])
