from datetime import timedelta
from typing import Any

import msgspec
import pytest

from core.accounts.model import User
from core.errors import ValidationError
from core.generations.errors import PriceChanged
from core.generations.model import AspectRatio
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.task import task_for
from core.generations.views import QueuePlace, RequestedGeneration
from core.ports.database import DatabaseUnavailable
from core.styles.errors import StyleNotFound, StyleNotReady
from core.styles.model import Style
from core.tags import InvalidTagLanguage
from core.tokens.errors import AccountNotFound, InsufficientTokens
from tests.core.failing import UnexpectedError, failing
from tests.support.memory_world import MemoryWorld
from tests.support.world import Funds


async def test_a_generation_is_queued_and_its_price_held(world: MemoryWorld) -> None:
    ann, style = await a_buyer_and_a_style(world)

    requested = await request(world, ann, NewGeneration(style.id, ["Woman ", "portrait", "woman"], "한 여자"))

    assert requested == RequestedGeneration(
        id=requested.id,
        user_id=ann.id,
        style_id=style.id,
        style_version=1,
        status="queued",
        consumed_tokens=30,
        aspect_ratio="1:1",
        created_at=world.clock.now(),
        progress=None,
        queue=QueuePlace(1, 30),
    )
    assert await world.funds(ann.id) == Funds(ann.id, 70, 30, None)
    generation = world.database.tables.generations[requested.id]
    assert (generation.prompt_tags, generation.description) == (["woman", "portrait"], "한 여자")
    assert (generation.artist_id, generation.attempt, generation.updated_at) == (
        style.artist_id,
        1,
        world.clock.now(),
    )
    second = await request(world, ann, NewGeneration(style.id, ["cat"]))
    assert second.queue == QueuePlace(2, 60)


async def test_the_expected_price_must_equal_the_price(world: MemoryWorld) -> None:
    ann, style = await a_buyer_and_a_style(world)

    for shown in (29, 31, 0):
        with pytest.raises(PriceChanged) as refused:
            await request(world, ann, NewGeneration(style.id, ["cat"], expected_price=shown))
        assert refused.value.details == {"price": 30}
    assert await world.funds(ann.id) == Funds(ann.id, 100, 0, None)
    await request(world, ann, NewGeneration(style.id, ["cat"], expected_price=30))

    assert await world.funds(ann.id) == Funds(ann.id, 70, 30, None)


async def test_a_failure_after_the_commit_does_not_refuse_the_request(world: MemoryWorld) -> None:
    ann, style = await a_buyer_and_a_style(world)
    places = failing(world.read.generations, "last_in_queue", DatabaseUnavailable())

    requested = await request(world, ann, NewGeneration(style.id, ["cat"]), reader=places)

    assert requested.queue is None
    assert requested.id in world.database.tables.generations


@pytest.mark.parametrize(
    ("aspect_ratio", "size"),
    [
        (AspectRatio.SQUARE, '"aspect_ratio":"1:1","seed":null,"width":512,"height":512'),
        (AspectRatio.LARGE_SQUARE, '"aspect_ratio":"2:2","seed":null,"width":1024,"height":1024'),
        (AspectRatio.PORTRAIT, '"aspect_ratio":"1:2","seed":null,"width":512,"height":1024'),
    ],
)
async def test_the_task_equals_the_documented_bytes(world: MemoryWorld, aspect_ratio: AspectRatio, size: str) -> None:
    ann, style = await a_buyer_and_a_style(world)

    requested = await request(world, ann, NewGeneration(style.id, ["woman", "portrait"], aspect_ratio=aspect_ratio))

    [task] = await world.tasks()
    assert (task.task_id, task.queue) == (
        world.database.tables.generations[requested.id].task_id,
        "image_generation",
    )
    assert task.body.decode() == (
        f'{{"task_id":"{task.task_id}","type":"image_generation","created_at":"2026-01-01T00:00:00Z",'
        f'"data":{{"generation_id":{requested.id},"style_id":{style.id},"lora_path":"{style.model_path}",'
        f'"prompt":"woman, portrait","prompt_tags":["woman","portrait"],{size},"attempt":1,'
        f'"signature_path":"gs://stylelicense-media/signatures/{style.artist_id}/signature.png",'
        '"signature_config":{"position":"bottom-right","size":"medium","opacity":0.7}},'
        '"webhook_url":"https://api.example/api/webhooks/inference/complete"}'
    )


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
async def test_the_task_contains_the_seed(world: MemoryWorld, seed: int) -> None:
    ann, style = await a_buyer_and_a_style(world)

    requested = await request(world, ann, NewGeneration(style.id, ["cat"], seed=seed))

    assert world.database.tables.generations[requested.id].seed == seed
    [task] = await world.tasks()
    assert msgspec.json.decode(task.body)["data"]["seed"] == seed


async def test_a_balance_equal_to_the_price_is_enough(world: MemoryWorld) -> None:
    ann, style = await a_buyer_and_a_style(world, tokens=59)
    await request(world, ann, NewGeneration(style.id, ["cat"]))

    refusal = await refused(world, InsufficientTokens, ann, NewGeneration(style.id, ["cat"]))

    assert refusal.details == {"required": 30, "available": 29}


async def test_a_price_change_does_not_affect_earlier_requests(world: MemoryWorld) -> None:
    ann, style = await a_buyer_and_a_style(world)
    await request(world, ann, NewGeneration(style.id, ["cat"]))
    await save(world, msgspec.structs.replace(style, generation_cost_tokens=50))

    assert (await request(world, ann, NewGeneration(style.id, ["cat"]))).consumed_tokens == 50
    assert await world.funds(ann.id) == Funds(ann.id, 20, 80, None)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"prompt_tags": []}, {"prompt_tags"}),
        ({"prompt_tags": [f"tag {number}" for number in range(76)]}, {"prompt_tags"}),
        ({"description": "x" * 1001}, {"description"}),
        ({"seed": -1}, {"seed"}),
        ({"seed": 2**32}, {"seed"}),
        ({"prompt_tags": [], "seed": -1}, {"prompt_tags", "seed"}),
    ],
)
async def test_invalid_fields_are_refused(world: MemoryWorld, changes: dict[str, Any], wrong: set[str]) -> None:
    ann, style = await a_buyer_and_a_style(world)
    new = msgspec.structs.replace(NewGeneration(style.id, ["cat"]), **changes)

    refusal = await refused(world, ValidationError, ann, new)

    assert set(refusal.details or {}) == wrong


async def test_the_largest_valid_request_is_accepted(world: MemoryWorld) -> None:
    ann, style = await a_buyer_and_a_style(world)
    tags = [f"tag {number}" for number in range(75)]

    await request(world, ann, NewGeneration(style.id, tags, "x" * 1000))


@pytest.mark.parametrize("tag", ["고양이", "", "x" * 101, "cat!"])
async def test_a_non_english_prompt_is_refused(world: MemoryWorld, tag: str) -> None:
    ann, style = await a_buyer_and_a_style(world)

    refusal = await refused(world, InvalidTagLanguage, ann, NewGeneration(style.id, ["cat", tag]))

    assert set(refusal.details or {}) == {"prompt_tags"}


async def test_an_unknown_style_is_refused(world: MemoryWorld) -> None:
    ann = await world.user("ann", tokens=100)

    await refused(world, StyleNotFound, ann, NewGeneration(await world.ids.style(), ["cat"]))


async def test_an_unusable_style_is_refused(world: MemoryWorld) -> None:
    ann, mia, now = await world.user("ann", tokens=100), await world.artist("mia"), world.clock.now()
    styles = [
        await world.style(mia, "Closed", is_active=False),
        await world.style(mia, "Not yet", valid_from=now + timedelta(seconds=1)),
        await world.style(mia, "No more", valid_to=now),
    ]

    for style in styles:
        await refused(world, StyleNotReady, ann, NewGeneration(style.id, ["cat"]))
    pending = await world.untrained_style(mia, "Pending")
    await refused(world, StyleNotFound, ann, NewGeneration(pending.id, ["cat"]))
    await refused(world, StyleNotReady, mia, NewGeneration(pending.id, ["cat"]))

    lasting = await world.style(mia, "Lasting", valid_from=now, valid_to=now + timedelta(seconds=1))
    await request(world, ann, NewGeneration(lasting.id, ["cat"]))


async def test_a_user_without_a_wallet_is_refused(world: MemoryWorld) -> None:
    _, style = await a_buyer_and_a_style(world)
    stranger = msgspec.structs.replace(await world.user("bob"), id=await world.ids.user())

    await refused(world, AccountNotFound, stranger, NewGeneration(style.id, ["cat"]))


async def test_an_unexpected_failure_writes_nothing(world: MemoryWorld) -> None:
    ann, style = await a_buyer_and_a_style(world)
    scope = world.scope()
    ports = {name: getattr(scope, name) for name in ("transaction", "styles", "ledger", "generations")}

    await refused(
        world, UnexpectedError, ann, NewGeneration(style.id, ["cat"]), **ports, queue=failing(scope.queue, "put")
    )


async def test_a_task_requires_a_model(world: MemoryWorld) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.generation(ann, style)
    async with world.block() as scope:
        offer = msgspec.structs.replace(await scope.styles.offer(style.id), model_path=None)

    with pytest.raises(ValueError, match="no model"):
        task_for(generation, offer, at=world.clock.now(), signature="gs://x/y", webhooks=world.webhooks)


async def a_buyer_and_a_style(world: MemoryWorld, *, tokens: int = 100) -> tuple[User, Style]:
    return await world.user("ann", tokens=tokens), await world.style(await world.artist("mia"))


async def request(world: MemoryWorld, user: User, new: NewGeneration, **ports: Any) -> RequestedGeneration:
    return await world.use_case(RequestGeneration, **ports)(user.id, new)


async def save(world: MemoryWorld, style: Style) -> None:
    async with world.block() as scope:
        await scope.styles.save(style)


async def refused(world: MemoryWorld, kind: type[Exception], user: User, new: NewGeneration, **ports: Any) -> Any:
    """The refusal, which has written nothing."""
    tables = world.database.tables
    before = [dict(table) for table in (tables.funds, tables.entries, tables.generations, tables.outbox)]

    with pytest.raises(kind) as refusal:
        await request(world, user, new, **ports)

    assert [dict(table) for table in (tables.funds, tables.entries, tables.generations, tables.outbox)] == before
    return refusal.value
