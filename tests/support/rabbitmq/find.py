"""The RabbitMQ of a test run: found, or started."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support import shared
from tests.support.rabbitmq import package
from tests.support.rabbitmq.container import docker_answers, start_container
from tests.support.rabbitmq.node import Node
from tests.support.rabbitmq.server import VirtualHost, answers_amqp
from tests.support.rabbitmq.virtual_host import with_working_management

LOCAL = VirtualHost("localhost", 5672, management_port=15672)


def install_if_needed() -> None:
    """Install the package ahead of the tests, if `broker` would otherwise do it during one."""
    with shared.locked("rabbitmq"):
        if "RABBITMQ_HOST" in os.environ or answers_amqp(LOCAL) or package.installed_server():
            return
        if package.can_install():
            package.install()


def broker() -> VirtualHost:
    """Return the broker of this run."""
    if "RABBITMQ_HOST" in os.environ:
        return _named_broker()
    if answers_amqp(LOCAL):
        return with_working_management(LOCAL)
    facts = shared.once("rabbitmq", _start_one)
    return VirtualHost("127.0.0.1", int(facts["port"]), management_port=int(facts["management_port"]))


@contextlib.contextmanager
def private_node() -> Iterator[Node]:
    """A node of one's own, for tests that stop, kill or freeze it."""
    directory = Path(tempfile.mkdtemp(prefix="node-", dir=shared.run_directory()))
    node = Node(directory, package.server())
    try:
        node.start()
        yield node
    finally:
        node.close()
        shutil.rmtree(directory, ignore_errors=True)


def _named_broker() -> VirtualHost:
    named = VirtualHost(
        host=os.environ["RABBITMQ_HOST"],
        port=int(os.environ.get("RABBITMQ_PORT", "5672")),
        user=os.environ.get("RABBITMQ_USER", "guest"),
        password=os.environ.get("RABBITMQ_PASS", "guest"),
        vhost=os.environ.get("RABBITMQ_VHOST", "/"),
        management_port=int(os.environ.get("RABBITMQ_MANAGEMENT_PORT", "15672")),
    )
    if not answers_amqp(named, timeout=5):
        raise RuntimeError(f"RABBITMQ_HOST names {named.host}:{named.port}, and no RabbitMQ answers there.")
    return with_working_management(named)


def _start_one(directory: Path) -> Mapping[str, str]:
    if not package.installed_server() and not package.can_install() and docker_answers():
        started = start_container()
    else:
        node = Node(directory, package.server())
        node.start()
        started = node.broker
    return {"port": str(started.port), "management_port": str(started.management_port)}
