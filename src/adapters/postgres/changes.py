from contextlib import AbstractContextManager

from adapters.postgres.listener import Listener
from adapters.subscriptions import Subscriptions
from core.ports.changes import Changes, Subscription, Topic

CHANNEL = "changes"


class PostgresChanges(Changes):
    """One for the whole process: however many watch, one connection listens, from the first of them on."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._subscriptions = Subscriptions()

    def subscribe(self, *topics: Topic) -> AbstractContextManager[Subscription]:
        self._listener.listen(CHANNEL, self._hear)
        return self._subscriptions.subscribe(*topics)

    @property
    def watched(self) -> frozenset[Topic]:
        """The topics that somebody watches."""
        return self._subscriptions.watched

    def _hear(self, topic: str | None) -> None:
        if topic is None:
            self._subscriptions.tell_all()
        else:
            self._subscriptions.tell(Topic(topic))
