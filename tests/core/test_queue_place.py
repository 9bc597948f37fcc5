from datetime import timedelta

import pytest

from core.generations.views import QueuePlace


@pytest.mark.parametrize(
    ("position", "quickest", "place"),
    [
        (1, None, QueuePlace(1, 30)),
        (3, timedelta(seconds=8, milliseconds=400), QueuePlace(3, 25)),
        (0, timedelta(seconds=8), QueuePlace(1, 8)),
        (10_000, timedelta(seconds=1), QueuePlace(10_000, 10_000)),
        (10_001, timedelta(seconds=1), QueuePlace(10_000, 10_000)),
    ],
)
def test_a_queue_place_is_capped(position: int, quickest: timedelta | None, place: QueuePlace) -> None:
    assert QueuePlace.at(position, quickest=quickest) == place
