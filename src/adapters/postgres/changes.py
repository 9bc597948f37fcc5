from contextlib import AbstractContextManager

from adapters.postgres.listener import Listener
from adapters.subscriptions import Subscriptions
from core.ports.changes import Changes, Subscription, Topic

CHANNEL = "changes"


class PostgresChanges(Changes):
    """One per process: a single connection listens for all watchers, from the first watcher on."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._subscriptions = Subscriptions()

    def subscribe(self, *topics: Topic) -> AbstractContextManager[Subscription]:
        self._listener.listen(CHANNEL, self._on_notification)
        return self._subscriptions.subscribe(*topics)

    @property
    def watched(self) -> frozenset[Topic]:
        """The topics that are being watched."""
        return self._subscriptions.watched

    def _on_notification(self, topic: str | None) -> None:
        if topic is None:
            self._subscriptions.notify_all()
        else:
            self._subscriptions.notify(Topic(topic))
