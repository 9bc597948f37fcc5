from contextlib import AbstractContextManager
from datetime import timedelta
from typing import NewType, Protocol

from core.identifiers import GenerationId, StyleId, UserId

Topic = NewType("Topic", str)
"""What somebody may watch."""


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
        """The topics of which something may have changed since the last call, as soon as there is one.

        None of them after `within`.
        """
        ...


class Changes(Protocol):
    """Tells whoever watches that something has changed, in whatever process: not what, for that they look.

    Told are: a generation or a style that is saved, advanced or removed, a notification, a session that is ended, in
    whatever way. It is told after the commit, usually within some milliseconds; nothing is told of what rolled back.
    Between two calls of `changed` it is told once, however often it happens, so that a slow watcher costs no memory.

    When changes may have been missed, because the way they come by was interrupted, every topic counts as changed. Only
    a process that dies right after its commit tells nobody: a watcher looks by itself now and then as well.
    """

    def subscribe(self, *topics: Topic) -> AbstractContextManager[Subscription]:
        """Watch from now on, until the block ends. What is there already has to be looked at first."""
        ...
