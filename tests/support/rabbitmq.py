"""A real RabbitMQ, wherever one can be had.

In this order: the one that RABBITMQ_HOST names; one that answers on localhost:5672; a private node of the installed
package; the same after installing Debian's package, as root; a container. Else a plain error: never a skip.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args
from urllib.parse import quote
from uuid import uuid4

import aio_pika
import httpx
import psutil

from adapters.rabbitmq.connection import DEAD
from core.tasks.model import Queue
from tests.support import shared
from tests.support.ports import free_port

STARTS_WITHIN = 90.0
IMAGE = "rabbitmq:3-management-alpine"
HOW_TO_HELP = """No RabbitMQ is to be had, and the tests need a real one. Any of these helps:
  - install it: `apt-get install rabbitmq-server` (Debian, Ubuntu) or `brew install rabbitmq` (macOS);
  - start Docker;
  - name one: RABBITMQ_HOST (and RABBITMQ_PORT, RABBITMQ_USER, RABBITMQ_PASS, RABBITMQ_VHOST)."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A place on a RabbitMQ: what a client needs to connect."""

    host: str
    port: int
    user: str = "guest"
    password: str = "guest"
    vhost: str = "/"
    management_port: int | None = None

    @property
    def url(self) -> str:
        credentials = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"amqp://{credentials}@{self.host}:{self.port}/{quote(self.vhost, safe='')}"

    @property
    def environment(self) -> dict[str, str]:
        """The service's own variables that lead to this place."""
        return {
            "RABBITMQ_HOST": self.host,
            "RABBITMQ_PORT": str(self.port),
            "RABBITMQ_USER": self.user,
            "RABBITMQ_PASS": self.password,
            "RABBITMQ_VHOST": self.vhost,
        }


LOCAL = Broker("localhost", 5672, management_port=15672)


def install_if_needed() -> None:
    """Do ahead of time, where its progress can be seen, what `broker` would otherwise do unseen."""
    with shared.locked("rabbitmq"):
        if "RABBITMQ_HOST" not in os.environ and not answers_amqp(LOCAL) and not _installed_server() and _can_install():
            _install()


def broker() -> Broker:
    """Return the broker of this run."""
    if "RABBITMQ_HOST" in os.environ:
        return _named_broker()
    if answers_amqp(LOCAL):
        return _with_working_management(LOCAL)
    facts = shared.once("rabbitmq", _start_one)
    return Broker("127.0.0.1", int(facts["port"]), management_port=int(facts["management_port"]))


@contextlib.asynccontextmanager
async def own_place(where: Broker) -> AsyncIterator[Broker]:
    """Lend an empty place that nobody else uses: a virtual host of its own.

    That takes the management plugin and the right to use it. A foreign broker without it lends the virtual host that
    it has, with the service's queues removed before and after; tests take turns there.
    """
    if where.management_port is None:
        with shared.locked("rabbitmq-queues"):
            await _remove_queues(where, only_if_idle=True)
            try:
                yield where
            finally:
                await _remove_queues(where, only_if_idle=False)
        return
    name = f"test-{uuid4().hex}"
    async with _management(where) as api:
        (await api.put(f"/vhosts/{name}")).raise_for_status()
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        (await api.put(f"/permissions/{name}/{quote(where.user, safe='')}", json=everything)).raise_for_status()
        try:
            yield replace(where, vhost=name)
        finally:
            (await api.delete(f"/vhosts/{name}")).raise_for_status()


async def put_aside(where: Broker, bodies: list[bytes]) -> None:
    """What a policy does with messages that consumers reject."""
    async with await aio_pika.connect(where.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(DEAD, durable=True)
        for body in bodies:
            await channel.default_exchange.publish(aio_pika.Message(body), routing_key=DEAD)


async def _remove_queues(where: Broker, *, only_if_idle: bool) -> None:
    async with await aio_pika.connect(where.url) as connection:
        for queue in (*get_args(Queue), DEAD):
            channel = await connection.channel()
            try:
                await channel.queue_delete(queue, if_empty=only_if_idle, if_unused=only_if_idle)
            except aio_pika.exceptions.ChannelPreconditionFailed:
                raise RuntimeError(
                    f"The queue {queue} on {where.host}:{where.port} is in use, and tests empty it. "
                    "Name a virtual host for them alone: RABBITMQ_HOST, RABBITMQ_VHOST."
                ) from None


class Node:
    """A private RabbitMQ node, with its state in a directory, that can be stopped, killed and frozen."""

    def __init__(self, directory: Path, server: Path) -> None:
        self._directory = directory
        self._server = server
        self._name = f"style-license-{uuid4().hex[:8]}@localhost"
        self._epmd_port = free_port()
        self._distribution_port = free_port()
        self.broker = Broker("127.0.0.1", free_port(), management_port=free_port())

    def start(self) -> None:
        """Start the node, or start it again with the state that it had."""
        self._configure()
        command = [str(self._server), "-detached"]
        run = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{self._server} refuses to start:\n{run.stdout}{run.stderr}")
        deadline = time.monotonic() + STARTS_WITHIN
        while not answers_amqp(self.broker):
            if time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start within {STARTS_WITHIN:.0f} s:\n{self._last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Shut the node down in good order, which takes it several seconds."""
        shared.stop_process(self.pid)

    def kill(self) -> None:
        shared.stop_process(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Leave connections open and answer nothing any more."""
        psutil.Process(self.pid).suspend()

    def thaw(self) -> None:
        psutil.Process(self.pid).resume()

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
        """Leave nothing running; nobody will miss what is in it."""
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
            # On a small machine an idle scheduler that spins takes time from the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _last_words(self) -> str:
        logs = sorted((self._directory / "log").glob("*.log"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs)


@contextlib.contextmanager
def private_node() -> Iterator[Node]:
    """A node of one's own, for tests that stop, kill or freeze it."""
    directory = Path(tempfile.mkdtemp(prefix="node-", dir=shared.run_directory()))
    node = Node(directory, _server())
    try:
        node.start()
        yield node
    finally:
        node.close()
        shutil.rmtree(directory, ignore_errors=True)


def answers_amqp(where: Broker, timeout: float = 1.0) -> bool:
    try:
        with socket.create_connection((where.host, where.port), timeout) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"  # a method frame: Connection.Start
    except OSError:
        return False


def _named_broker() -> Broker:
    named = Broker(
        host=os.environ["RABBITMQ_HOST"],
        port=int(os.environ.get("RABBITMQ_PORT", "5672")),
        user=os.environ.get("RABBITMQ_USER", "guest"),
        password=os.environ.get("RABBITMQ_PASS", "guest"),
        vhost=os.environ.get("RABBITMQ_VHOST", "/"),
        management_port=int(os.environ.get("RABBITMQ_MANAGEMENT_PORT", "15672")),
    )
    if not answers_amqp(named, timeout=5):
        raise RuntimeError(f"RABBITMQ_HOST names {named.host}:{named.port}, and no RabbitMQ answers there.")
    return _with_working_management(named)


def _with_working_management(where: Broker) -> Broker:
    try:
        answer = httpx.get(f"{_management_url(where)}/vhosts", auth=(where.user, where.password), trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError:
        return replace(where, management_port=None)
    return where


def _management(where: Broker) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=_management_url(where), auth=(where.user, where.password), timeout=30, trust_env=False
    )


def _management_url(where: Broker) -> str:
    return f"http://{where.host}:{where.management_port}/api"


def _start_one(directory: Path) -> Mapping[str, str]:
    if not _installed_server() and not _can_install() and _docker_answers():
        started = _start_container()
    else:
        node = Node(directory, _server())
        node.start()
        started = node.broker
    return {"port": str(started.port), "management_port": str(started.management_port)}


def _server() -> Path:
    if found := _installed_server():
        return found
    if _can_install():
        _install()
        if found := _installed_server():
            return found
    raise RuntimeError(HOW_TO_HELP)


def _installed_server() -> Path | None:
    # Debian's /usr/sbin/rabbitmq-server insists on the system's user and directories; the one it wraps does not.
    candidates = [Path("/usr/lib/rabbitmq/bin/rabbitmq-server")]
    candidates += [Path(found)] if (found := shutil.which("rabbitmq-server")) else []
    candidates += [Path(f"{prefix}/sbin/rabbitmq-server") for prefix in ("/opt/homebrew", "/usr/local")]
    return next((candidate for candidate in candidates if candidate.exists()), None)


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install() -> None:
    say = "RabbitMQ is not installed; installing Debian's rabbitmq-server (once, a minute or so) ..."
    print(say, file=sys.__stderr__, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_off():
        for command in (
            ["apt-get", "-q", "update"],
            ["apt-get", "-q", "install", "-y", "--no-install-recommends", "rabbitmq-server"],
        ):
            subprocess.run(command, env=environment, check=True, stdout=sys.__stderr__, stderr=sys.__stderr__)


@contextlib.contextmanager
def _services_stay_off() -> Iterator[None]:
    """Debian asks this file before a package starts its service; the tests want a node of their own, not that one."""
    policy = Path("/usr/sbin/policy-rc.d")
    before = (policy.read_bytes(), policy.stat().st_mode) if policy.exists() else None
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            policy.unlink()
        else:
            policy.write_bytes(before[0])
            policy.chmod(before[1])


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0


def _start_container() -> Broker:
    print(f"Starting RabbitMQ in a container ({IMAGE}) ...", file=sys.__stderr__, flush=True)
    publish = ["-p", "127.0.0.1::5672", "-p", "127.0.0.1::15672"]
    container = _docker("run", "--detach", "--rm", *publish, IMAGE)
    shared.run_command_at_end(["docker", "rm", "--force", container])
    port, management_port = (
        int(_docker("port", container, inside).splitlines()[0].rpartition(":")[2]) for inside in ("5672", "15672")
    )
    started = Broker("127.0.0.1", port, management_port=management_port)
    deadline = time.monotonic() + STARTS_WITHIN
    while not answers_amqp(started):
        if time.monotonic() > deadline:
            raise RuntimeError(f"RabbitMQ's container did not start within {STARTS_WITHIN:.0f} s.")
        time.sleep(0.2)
    return started


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()
