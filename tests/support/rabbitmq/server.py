"""Where a RabbitMQ is, and whether it answers."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from adapters.rabbitmq.connection import Address
from core.secret import Secret

STARTS_WITHIN = 90.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """A virtual host on a RabbitMQ: what a client needs to connect."""

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
    def management_url(self) -> str:
        return f"http://{self.host}:{self.management_port}/api"

    @property
    def address(self) -> Address:
        return Address(self.host, self.port, self.user, Secret(self.password), self.vhost)

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


def answers_amqp(where: VirtualHost, timeout: float = 1.0) -> bool:
    try:
        with socket.create_connection((where.host, where.port), timeout) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"  # a method frame: Connection.Start
    except OSError:
        return False


def wait_until_started(where: VirtualHost, logs: Callable[[], str]) -> None:
    """Return when it answers. Raises RuntimeError with its logs if it does not within STARTS_WITHIN."""
    deadline = time.monotonic() + STARTS_WITHIN
    while not answers_amqp(where):
        if time.monotonic() > deadline:
            raise RuntimeError(f"RabbitMQ did not start within {STARTS_WITHIN:.0f} s:\n{logs()}")
        time.sleep(0.05)
