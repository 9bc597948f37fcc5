from contextlib import AbstractContextManager
from datetime import timedelta
from typing import NewType, Protocol

from core.identifiers import GenerationId, StyleId, UserId

Topic = NewType("Topic", str)
"""A subject that can be watched for changes."""


ARTWORK_CHECKS = Topic("artwork-checks")


def generation(generation_id: GenerationId) -> Topic:
    return Topic(f"generation:{generation_id}")


def style(style_id: StyleId) -> Topic:
    return Topic(f"style:{style_id}")


def notifications(recipient: UserId) -> Topic:
    return Topic(f"notifications:{recipient}")


def session(token_hash: bytes) -> Topic:
    return Topic(f"session:{token_hash.hex()}")


class Subscription(Protocol):
    async def changed(self, *, within: timedelta) -> frozenset[Topic]:
        """Wait for changes and return the topics that may have changed since the last call.

        Empty if there are none within `within`.
        """
        ...


class Changes(Protocol):
    """Notifies watchers in any process that a topic has changed. The notification carries no data: watchers read again.

    Topics change when a generation or style is saved, advanced or removed, a check of artworks is started or advanced,
    a notification is added, or a session is revoked. Watchers are notified after the commit, usually within
    milliseconds, and never of a rollback. Changes between two calls of `changed` are merged, so a slow watcher costs no
    memory.

    If notifications may have been missed because of a broken connection, every topic counts as changed. Only a process
    that crashes right after its commit notifies no watcher; watchers therefore also read at intervals.
    """

    def subscribe(self, *topics: Topic) -> AbstractContextManager[Subscription]:
        """Watch until the block ends. The state before that has to be read separately, after subscribing."""
        ...
