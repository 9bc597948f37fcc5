import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from core.accounts.errors import UsernameTaken
from core.accounts.model import User
from core.tokens.errors import AccountNotFound, InsufficientTokens
from tests.contracts.overlap import Block, RolledBack, commit
from tests.support.scope import Scope
from tests.support.world import World, gift, hold_for


async def test_a_commit_stores_what_the_block_wrote(world: World) -> None:
    ann = await world.user("ann")

    await commit(world, lambda ports: ports.users.save(edited(ann, world, bio="hello")))

    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == "hello"


async def test_an_error_rolls_back_and_is_raised(world: World) -> None:
    ann = await world.user("ann", tokens=5)
    style = await world.untrained_style(await world.artist("mia"))

    async def work(ports: Scope) -> None:
        await ports.users.save(edited(ann, world, bio="hello"))
        await ports.ledger.transfer(gift(ann.id, 7, world))
        await ports.styles.save(style.close(at=world.clock.now()))
        await ports.users.of_id(ann.id)
        raise RolledBack

    with pytest.raises(RolledBack):
        await commit(world, work)

    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == ""
    assert (await world.funds(ann.id)).token_balance == 5
    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == style


async def test_a_refusal_rolls_the_block_back(world: World) -> None:
    ann = await world.user("ann", tokens=5)
    dear = await world.unsaved_generation(ann, await world.style(await world.artist()), consumed_tokens=7)

    async def work(ports: Scope) -> None:
        await ports.users.save(edited(ann, world, bio="hello"))
        await ports.ledger.transfer(gift(ann.id, 1, world))
        await ports.ledger.hold(hold_for(dear))

    with pytest.raises(InsufficientTokens):
        await commit(world, work)

    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == ""
    assert (await world.funds(ann.id)).token_balance == 5


async def test_a_caught_refusal_still_rolls_the_block_back(world: World) -> None:
    ann = await world.user("ann")
    nobody = await world.ids.user()

    async def work(ports: Scope) -> None:
        await ports.users.save(edited(ann, world, bio="hello"))
        with contextlib.suppress(AccountNotFound):
            await ports.ledger.transfer(gift(nobody, 7, world))
            await ports.users.of_id(ann.id)  # for adapters that hold writes back until a read

    with pytest.raises(AccountNotFound):
        await commit(world, work)

    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == ""


async def test_a_block_reads_its_own_writes(world: World) -> None:
    ann = await world.user("ann")
    scope = world.scope()

    async with scope.transaction:
        await scope.users.save(edited(ann, world, username="anna"))

        assert (await scope.users.of_id(ann.id)).username == "anna"
        assert await scope.users.username_taken("anna")
        assert not await scope.users.username_taken("ann")


async def test_uncommitted_changes_are_invisible_to_others(world: World) -> None:
    ann = await world.user("ann")

    async def write(scope: Scope) -> None:
        await scope.users.save(edited(ann, world, username="anna"))
        await scope.ledger.transfer(gift(ann.id, 7, world))
        await scope.users.of_id(ann.id)

    block = await Block(world, write).open()
    async with world.block() as scope:
        assert (await scope.users.of_id(ann.id)).username == "ann"
        assert not await scope.users.username_taken("anna")
    assert (await world.read.accounts.profile(ann.id, viewer=None)).username == "ann"
    assert (await world.funds(ann.id)).token_balance == 0

    assert await block.commit() is None
    assert (await world.read.accounts.profile(ann.id, viewer=None)).username == "anna"
    assert (await world.funds(ann.id)).token_balance == 7


async def test_one_transaction_serves_one_block_after_another(world: World) -> None:
    ann = await world.user("ann")
    ports = world.scope()

    async def set_bio(bio: str, error: type[Exception] | None = None) -> None:
        async with ports.transaction:
            user = await ports.users.of_id(ann.id, lock=True)
            await ports.users.save(edited(user, world, bio=user.bio + bio))
            if error:
                raise error

    await set_bio("one")
    with pytest.raises(RolledBack):
        await set_bio("two", error=RolledBack)
    await set_bio("three")

    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == "onethree"


async def test_a_block_within_a_block_is_refused(world: World) -> None:
    scope = world.scope()

    async with scope.transaction:
        with pytest.raises(RuntimeError):
            async with scope.transaction:
                pass


async def test_reading_and_writing_require_a_block(world: World) -> None:
    ann = await world.user("ann")
    scope = world.scope()

    with pytest.raises(RuntimeError):
        await scope.users.of_id(ann.id)
    with pytest.raises(RuntimeError):
        await scope.ledger.transfer(gift(ann.id, 7, world))


async def test_a_locking_read_waits_and_sees_the_commit(world: World) -> None:
    ann = await world.user("ann")

    async def edit(scope: Scope) -> None:
        user = await scope.users.of_id(ann.id, lock=True)
        await scope.users.save(edited(user, world, bio=user.bio + "!"))

    first = await Block(world, edit).open()
    second = await Block(world, edit).waits()

    assert await first.commit() is None
    assert await second.commit() is None
    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == "!!"


async def test_a_read_without_lock_does_not_wait(world: World) -> None:
    ann = await world.user("ann")

    async def lock(scope: Scope) -> User:
        return await scope.users.of_id(ann.id, lock=True)

    block = await Block(world, lock).open()
    async with world.block() as scope:
        assert await scope.users.of_id(ann.id) == ann
    await block.commit()


async def test_a_write_waits_for_the_lock_on_its_row(world: World) -> None:
    ann = await world.user("ann")

    async def lock(scope: Scope) -> User:
        return await scope.users.of_id(ann.id, lock=True)

    async def write(scope: Scope) -> None:
        await scope.users.save(edited(ann, world, bio="hello"))
        await scope.users.of_id(ann.id)

    locked = await Block(world, lock).open()
    writing = await Block(world, write).waits()

    assert await locked.commit() == ann
    assert await writing.commit() is None
    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == "hello"


async def test_a_lock_on_a_row_that_was_written_waits_for_the_writer(world: World) -> None:
    ann = await world.user("ann")

    async def write(scope: Scope) -> None:
        await scope.users.save(edited(ann, world, bio="hello"))
        await scope.users.of_id(ann.id)

    async def lock(scope: Scope) -> str:
        return (await scope.users.of_id(ann.id, lock=True)).bio

    writing = await Block(world, write).open()
    locking = await Block(world, lock).waits()

    assert await writing.commit() is None
    assert await locking.commit() == "hello"


async def test_a_block_is_not_blocked_by_its_own_lock(world: World) -> None:
    ann = await world.user("ann")
    scope = world.scope()

    async with scope.transaction:
        await scope.users.of_id(ann.id, lock=True)
        await scope.users.of_id(ann.id, lock=True)
        await scope.users.save(edited(ann, world, bio="hello"))


async def test_a_failed_block_releases_its_locks(world: World) -> None:
    ann = await world.user("ann")
    edit = appending(ann, world)

    first = await Block(world, edit).open()
    second = await Block(world, edit).waits()
    await first.roll_back()

    assert await second.commit() == ""
    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == "!"


async def test_a_refused_commit_releases_its_locks(world: World) -> None:
    ann = await world.user("ann")
    await world.user("bob")

    async def rename(scope: Scope) -> None:
        await scope.users.save(edited(await scope.users.of_id(ann.id, lock=True), world, username="bob"))

    with pytest.raises(UsernameTaken):
        await commit(world, rename)
    async with world.block() as scope:
        assert (await scope.users.of_id(ann.id, lock=True)).username == "ann"


async def test_a_cancelled_block_rolls_back_and_releases_its_locks(world: World) -> None:
    ann = await world.user("ann")
    edit = appending(ann, world)

    first = await Block(world, edit).open()
    second = await Block(world, edit).waits()
    first.task.cancel()

    assert isinstance(await first.outcome(), asyncio.CancelledError)
    assert await second.commit() == ""


async def test_a_cancelled_wait_does_not_acquire_the_lock(world: World) -> None:
    ann = await world.user("ann")
    edit = appending(ann, world)

    first = await Block(world, edit).open()
    second = await Block(world, edit).waits()
    second.task.cancel()
    assert isinstance(await second.outcome(), asyncio.CancelledError)

    third = await Block(world, edit).waits()
    assert await first.commit() == ""
    assert await third.commit() == "!"

    fourth = await Block(world, edit).open()
    assert not await world.lock_is_awaited()
    await fourth.commit()


def edited(user: User, world: World, *, username: str | None = None, bio: str = "") -> User:
    return user.edit(at=world.clock.now(), username=username or user.username, bio=bio, profile_image=None)


def appending(user: User, world: World) -> Callable[[Scope], Awaitable[str]]:
    """Append to the bio of a locked user; the result is the bio before."""

    async def work(scope: Scope) -> str:
        before = await scope.users.of_id(user.id, lock=True)
        await scope.users.save(edited(before, world, bio=before.bio + "!"))
        return before.bio

    return work
