"""Changes between two transactions of an account's erasure."""

from collections.abc import Awaitable, Callable

import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.account_deletion.erase_account import EraseAccount
from core.accounts.errors import UserNotFound
from core.accounts.model import User
from core.generations.complete_generation import CompleteGeneration
from core.identifiers import GenerationId
from core.ports.transaction import OutcomeUnknown
from tests.core.failing import LosesConnection, Overtaken
from tests.support.memory_world import MemoryWorld

CLEARING = 6
"""Transactions that come before the look whether others used what the user has made."""


async def delete(world: MemoryWorld, user: User) -> None:
    """Delete the account, without erasing anything yet."""
    scope = world.scope()
    with pytest.raises(OutcomeUnknown):
        await world.use_case(DeleteAccount, scope, transaction=LosesConnection(scope.transaction))(user.id)


async def erase(world: MemoryWorld, user: User, meanwhile: Callable[[], Awaitable[object]], *, before: int) -> bool:
    """Erase while something else happens before that transaction after the clearing."""
    return await overtaken_erase(world, user, meanwhile, at=CLEARING + before)


async def overtaken_erase(
    world: MemoryWorld, user: User, meanwhile: Callable[[], Awaitable[object]], *, at: int
) -> bool:
    """Erase while something else happens before transaction number `at`."""
    scope = world.scope()
    return await world.use_case(EraseAccount, scope, transaction=Overtaken(scope.transaction, meanwhile, at=at))(
        user.id
    )


async def test_an_artist_deactivated_by_another_pass_stays_deactivated(world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=1000)
    image = await world.image(ann, await world.style(mia))
    await delete(world, mia)
    outcomes: list[bool] = []

    async def another_pass() -> None:
        outcomes.append(await world.use_case(EraseAccount)(mia.id))

    assert await erase(world, mia, another_pass, before=2)

    assert outcomes == [True]
    shown = await world.read.generations.detail(image.id, viewer=ann.id)
    assert shown.style.artist.artist_name == "Mia"


async def test_a_last_use_of_a_style_deactivates_the_artist(world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=1000)
    style = await world.style(mia)
    await delete(world, mia)
    used: list[GenerationId] = []

    async def use() -> None:
        used.append((await world.image(ann, style)).id)

    assert await erase(world, mia, use, before=4)

    shown = await world.read.generations.detail(used[0], viewer=ann.id)
    assert (shown.style.name, shown.style.artist.artist_name) == ("Ink", "Mia")
    with pytest.raises(UserNotFound):
        await world.read.accounts.profile(mia.id, viewer=ann.id)


async def test_an_artist_erased_by_another_pass_stays_erased(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia)
    await delete(world, mia)
    outcomes: list[bool] = []

    async def another_pass() -> None:
        outcomes.append(await world.use_case(EraseAccount)(mia.id))

    assert await erase(world, mia, another_pass, before=4)

    assert outcomes == [True]
    tables = world.database.tables
    assert (style.id in tables.styles, mia.id in tables.users, len(tables.erased)) == (False, False, 1)


async def test_a_last_generation_request_is_erased(world: MemoryWorld) -> None:
    style, ann = await world.style(await world.artist("mia")), await world.user("ann", tokens=1000)
    await delete(world, ann)
    late: list[GenerationId] = []

    async def request() -> None:
        late.append((await world.image(ann, style)).id)

    assert await erase(world, ann, request, before=4)

    tables = world.database.tables
    assert (len(late), late[0] in tables.generations, ann.id in tables.users) == (1, False, False)


async def test_a_generation_completed_before_its_cancellation_is_paid(world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=1000)
    generation = await world.generation(ann, await world.style(mia, generation_cost_tokens=30))
    await delete(world, ann)

    async def complete() -> None:
        result_url = world.blobs.uri(f"generations/gen-{generation.id}.png")
        await world.use_case(CompleteGeneration)(generation.id, result_url=result_url, metadata={})

    assert await overtaken_erase(world, ann, complete, at=2)

    assert (await world.funds(mia.id)).earned_token_balance == 30
