"""A real RabbitMQ, found or started.

In this order: the one that RABBITMQ_HOST names; one that answers on localhost:5672; a private node of the installed
package; the same after installing Debian's package, as root; a container. Else a plain error: never a skip.
"""

from tests.support.rabbitmq.find import broker, install_if_needed, private_node
from tests.support.rabbitmq.node import Node
from tests.support.rabbitmq.server import VirtualHost, answers_amqp
from tests.support.rabbitmq.virtual_host import dead_letter, message_ids, own_virtual_host

__all__ = [
    "Node",
    "VirtualHost",
    "answers_amqp",
    "broker",
    "dead_letter",
    "install_if_needed",
    "message_ids",
    "own_virtual_host",
    "private_node",
]
