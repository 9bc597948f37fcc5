import asyncio
import re
from uuid import UUID

from core.identifiers import MAX_ID
from core.paging import PageRequest
from core.tokens.views import TransactionFilter
from tests.support.world import World

MANY = 300
"""More than a block of them, whatever an adapter takes a block to be at a time."""


async def test_every_id_is_unique(world: World) -> None:
    ids = world.ids
    for take in (ids.user, ids.style, ids.artwork, ids.generation, ids.hold, ids.comment, ids.notification):
        taken = await asyncio.gather(*(take() for _ in range(MANY)))

        assert len(set(taken)) == MANY
        assert all(1 <= number <= MAX_ID for number in taken)


async def test_holds_and_transfers_share_no_id(world: World) -> None:
    """Both are transfers, and lines of an account's history are distinguished by id."""
    ann = await world.user("ann", tokens=1)
    mia = await world.artist("mia", tokens=100)
    style = await world.style(mia)
    for _ in range(3):
        await world.image(mia, style)
        await world.user(f"user-{await world.ids.hold()}", tokens=1)

    lines = [
        line.id
        for user in (ann, mia)
        for line in (await world.read.tokens.transactions(user.id, type=TransactionFilter.ALL, page=PageRequest())).rows
    ]
    assert len(lines) == len(set(lines)) == 1 + 1 + 2 * 3


async def test_task_ids_are_random_uuids(world: World) -> None:
    tasks = {world.ids.task() for _ in range(100)}

    assert len(tasks) == 100
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", task) for task in tasks)
    assert {(UUID(task).version, UUID(task).variant) for task in tasks} == {(4, "specified in RFC 4122")}
