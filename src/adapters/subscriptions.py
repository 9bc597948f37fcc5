import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from core.ports.changes import Changes, Subscription, Topic


class Subscriptions(Changes):
    """The subscriptions to topics in this process."""

    def __init__(self) -> None:
        self._by_topic: dict[Topic, set[Subscribed]] = {}

    @contextmanager
    def subscribe(self, *topics: Topic) -> Iterator[Subscription]:
        subscribed = Subscribed(topics)
        for topic in topics:
            self._by_topic.setdefault(topic, set()).add(subscribed)
        try:
            yield subscribed
        finally:
            for topic in topics:
                self._by_topic[topic].discard(subscribed)
                if not self._by_topic[topic]:
                    del self._by_topic[topic]

    def tell(self, topic: Topic) -> None:
        for subscribed in self._by_topic.get(topic, ()):
            subscribed.tell(topic)

    def tell_all(self) -> None:
        for topic in self._by_topic:
            self.tell(topic)

    @property
    def watched(self) -> frozenset[Topic]:
        """The topics that are being watched."""
        return frozenset(self._by_topic)


class Subscribed(Subscription):
    __slots__ = ("_changed", "_told", "topics")

    def __init__(self, topics: tuple[Topic, ...]) -> None:
        self.topics = topics
        self._changed: set[Topic] = set()
        self._told = asyncio.Event()

    def tell(self, topic: Topic) -> None:
        self._changed.add(topic)
        self._told.set()

    async def changed(self, *, within: timedelta) -> frozenset[Topic]:
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self._told.wait()
        changed = frozenset(self._changed)
        self._changed.clear()
        self._told.clear()
        return changed
