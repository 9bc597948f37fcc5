import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from core.ports.changes import Changes, Subscription, Topic


class Subscriptions(Changes):
    """The subscriptions to topics in this process."""

    def __init__(self) -> None:
        self._by_topic: dict[Topic, set[TopicSubscription]] = {}

    @contextmanager
    def subscribe(self, *topics: Topic) -> Iterator[Subscription]:
        subscription = TopicSubscription(topics)
        for topic in topics:
            self._by_topic.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            for topic in topics:
                self._by_topic[topic].discard(subscription)
                if not self._by_topic[topic]:
                    del self._by_topic[topic]

    def notify(self, topic: Topic) -> None:
        for subscription in self._by_topic.get(topic, ()):
            subscription.notify(topic)

    def notify_all(self) -> None:
        for topic in self._by_topic:
            self.notify(topic)

    @property
    def watched(self) -> frozenset[Topic]:
        """The topics that are being watched."""
        return frozenset(self._by_topic)


class TopicSubscription(Subscription):
    __slots__ = ("_changed", "_notified", "topics")

    def __init__(self, topics: tuple[Topic, ...]) -> None:
        self.topics = topics
        self._changed: set[Topic] = set()
        self._notified = asyncio.Event()

    def notify(self, topic: Topic) -> None:
        self._changed.add(topic)
        self._notified.set()

    async def changed(self, *, within: timedelta) -> frozenset[Topic]:
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self._notified.wait()
        changed = frozenset(self._changed)
        self._changed.clear()
        self._notified.clear()
        return changed
