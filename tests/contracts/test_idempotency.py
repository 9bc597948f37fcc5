"""An idempotent call takes effect together with its stored answer, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Self

import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.accounts.errors import UserNotFound
from core.accounts.model import User
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.views import StatusFilter
from core.paging import PageRequest
from core.ports.idempotency import KEPT, AlreadyAnswered, Answer, Call, IdempotencyKeyReused
from core.styles.model import Style
from core.tokens.errors import InsufficientTokens
from tests.support.scope import Scope
from tests.support.world import TIME_LIMIT, World, gift

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Work = Callable[[Scope], Awaitable[object]]

ANSWER = Answer(201, {"content-type": "application/json", "location": "/api/things/1"}, b'{"id":1}')
OTHER = Answer(200, {}, b"\x00\xff")


def call(world: World, user: User, key: str = "a key", fingerprint: bytes = b"1" * 32) -> Call:
    return Call(user.id, key, fingerprint, world.clock.now())


class Attempt:
    """A call in its own task that stays open after its work until the test ends it."""

    def __init__(self, world: World, what: Call, work: Work, answer: Answer) -> None:
        self._world = world
        self._worked = asyncio.Event()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._run(what, work, answer))

    async def open(self) -> Self:
        """Return when the work is done."""
        worked = asyncio.create_task(self._worked.wait())
        await asyncio.wait({worked, self.task}, return_when=asyncio.FIRST_COMPLETED, timeout=TIME_LIMIT)
        worked.cancel()
        assert self._worked.is_set(), "the work waits for something"
        return self

    async def waits(self) -> Self:
        """Return when the work waits for the twin."""
        async with asyncio.timeout(TIME_LIMIT):
            # No database has an event for "waits for a lock".
            while not (self._worked.is_set() or self.task.done() or await self._world.lock_is_awaited()):  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert not self._worked.is_set(), "it did not wait"
        return self

    def finish(self) -> None:
        self._end.set_result(None)

    def crash(self) -> None:
        self._end.set_exception(Crashed())

    async def outcome(self) -> object:
        async with asyncio.timeout(TIME_LIMIT):
            return (await asyncio.gather(self.task, return_exceptions=True))[0]

    async def _run(self, what: Call, work: Work, answer: Answer) -> Answer:
        scope = self._world.scope()
        async with scope.call:
            await scope.call.begin(what)
            await work(scope)
            self._worked.set()
            await self._end
            await scope.call.finish(answer)
        return answer


class Crashed(Exception):
    pass


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann", tokens=100)


@pytest.fixture
async def style(world: World) -> Style:
    return await world.style(await world.artist())


async def balance(scope: Scope | World, user: User) -> int:
    return (await scope.read.tokens.balance(user.id, earned_until=EPOCH)).token_balance


async def give(world: World, scope: Scope, user: User, tokens: int = 5) -> None:
    async with asyncio.timeout(TIME_LIMIT), scope.transaction:
        await scope.ledger.transfer(gift(user.id, tokens, world))


async def answered(world: World, what: Call) -> Answer | None:
    """The immediate outcome of another call with the key."""
    async with world.scope().call as call:
        try:
            await call.begin(what)
        except AlreadyAnswered as known:
            return known.answer
    return None


async def do(world: World, what: Call, work: Work, answer: Answer = ANSWER) -> None:
    scope = world.scope()
    async with scope.call:
        await scope.call.begin(what)
        await work(scope)
        await scope.call.finish(answer)


async def test_a_repeated_call_replays_the_response(world: World, ann: User) -> None:
    await do(world, call(world, ann), lambda scope: give(world, scope, ann))

    assert await answered(world, call(world, ann)) == ANSWER
    assert await balance(world, ann) == 105


async def test_the_response_of_a_call_without_writes_is_stored(world: World, ann: User) -> None:
    await do(world, call(world, ann), lambda scope: balance(scope, ann), OTHER)

    assert await answered(world, call(world, ann)) == OTHER


async def test_nothing_is_committed_before_the_response(world: World, ann: User) -> None:
    attempt = await Attempt(world, call(world, ann), lambda scope: give(world, scope, ann), ANSWER).open()
    assert await balance(world, ann) == 100
    assert await answered(world, call(world, ann)) is None

    attempt.finish()

    assert await attempt.outcome() == ANSWER
    assert await balance(world, ann) == 105


async def test_a_crash_before_the_response_stores_neither_changes_nor_response(
    world: World, ann: User, style: Style
) -> None:
    async def work(scope: Scope) -> None:
        await give(world, scope, ann)
        await world.use_case(RequestGeneration, scope)(ann.id, NewGeneration(style.id, ["cat"]))

    attempt = await Attempt(world, call(world, ann), work, ANSWER).open()
    attempt.crash()
    assert isinstance(await attempt.outcome(), Crashed)

    assert await balance(world, ann) == 100
    assert await answered(world, call(world, ann)) is None
    assert await world.tasks() == []
    await do(world, call(world, ann), lambda scope: give(world, scope, ann))
    assert await balance(world, ann) == 105


async def test_blocks_of_one_call_commit_together(world: World, ann: User) -> None:
    async def work(scope: Scope) -> None:
        await give(world, scope, ann)
        assert await balance(scope, ann) == 105
        async with scope.transaction:
            user = await scope.users.of_id(ann.id, lock=True)
            assert not await scope.users.username_taken("bea")
            await scope.users.save(user.edit(at=world.clock.now(), username="bea", bio="", profile_image=None))
        assert (await scope.read.accounts.me(ann.id)).username == "bea"

    attempt = await Attempt(world, call(world, ann), work, ANSWER).open()
    attempt.crash()
    await attempt.outcome()
    assert (await world.read.accounts.me(ann.id)).username == "ann"
    assert await balance(world, ann) == 100

    await do(world, call(world, ann), work)
    assert (await world.read.accounts.me(ann.id)).username == "bea"
    assert await balance(world, ann) == 105


@pytest.mark.parametrize("fingerprint", [b"1" * 32, b"2" * 32])
async def test_a_concurrent_repeat_waits_for_the_response(world: World, ann: User, fingerprint: bytes) -> None:
    first = await Attempt(world, call(world, ann), lambda scope: give(world, scope, ann), ANSWER).open()
    twin = await Attempt(
        world, call(world, ann, fingerprint=fingerprint), lambda scope: give(world, scope, ann), OTHER
    ).waits()

    first.finish()

    assert await first.outcome() == ANSWER
    outcome = await twin.outcome()
    if fingerprint == b"1" * 32:
        assert isinstance(outcome, AlreadyAnswered)
        assert outcome.answer == ANSWER
    else:
        assert isinstance(outcome, IdempotencyKeyReused)
    assert await balance(world, ann) == 105


async def test_a_waiting_repeat_runs_if_the_first_call_failed(world: World, ann: User) -> None:
    first = await Attempt(world, call(world, ann), lambda scope: give(world, scope, ann), ANSWER).open()
    twin = await Attempt(world, call(world, ann), lambda scope: give(world, scope, ann), OTHER).waits()

    first.crash()
    twin.finish()

    assert isinstance(await first.outcome(), Crashed)
    assert await twin.outcome() == OTHER
    assert await balance(world, ann) == 105
    assert await answered(world, call(world, ann)) == OTHER


async def test_a_repeat_without_writes_gets_the_first_response(world: World, ann: User) -> None:
    twin = await Attempt(world, call(world, ann), lambda scope: balance(scope, ann), OTHER).open()
    await do(world, call(world, ann), lambda scope: give(world, scope, ann))

    twin.finish()

    outcome = await twin.outcome()
    assert isinstance(outcome, AlreadyAnswered)
    assert outcome.answer == ANSWER


async def test_a_repeat_refused_because_of_the_first_call_gets_its_response(world: World, ann: User) -> None:
    """The twin was quicker between the first look and the rule that now refuses."""
    scope = world.scope()
    async with scope.call:
        await scope.call.begin(call(world, ann))
        await do(world, call(world, ann), lambda twin: give(world, twin, ann))

        with pytest.raises(AlreadyAnswered):
            await scope.call.refuse()


async def test_a_refusal_keeps_neither_key_nor_writes(world: World, ann: User, style: Style) -> None:
    scope = world.scope()
    async with scope.call:
        await scope.call.begin(call(world, ann))
        await give(world, scope, ann, tokens=7)
        for _ in range(3):
            await world.use_case(RequestGeneration, scope)(ann.id, NewGeneration(style.id, ["cat"]))
        with pytest.raises(InsufficientTokens):
            await world.use_case(RequestGeneration, scope)(ann.id, NewGeneration(style.id, ["cat"]))
        await scope.call.refuse()

    assert await balance(world, ann) == 100
    assert await answered(world, call(world, ann)) is None
    await do(world, call(world, ann, fingerprint=b"2" * 32), lambda scope: give(world, scope, ann))
    assert await balance(world, ann) == 105


async def test_keys_are_separate_by_user_and_name(world: World, ann: User) -> None:
    await do(world, call(world, ann), lambda scope: give(world, scope, ann))
    ben = await world.user("ben")

    assert await answered(world, call(world, ben)) is None
    assert await answered(world, call(world, ann, key="another")) is None
    with pytest.raises(IdempotencyKeyReused):
        await answered(world, call(world, ann, fingerprint=b"2" * 32))


async def test_after_a_day_the_key_is_free(world: World, ann: User) -> None:
    await do(world, call(world, ann), lambda scope: give(world, scope, ann))
    moment = KEPT / 86_400_000_000
    world.clock.advance(KEPT - moment)
    assert await answered(world, call(world, ann)) == ANSWER
    world.clock.advance(moment)

    assert await answered(world, call(world, ann)) is None
    await do(world, call(world, ann, fingerprint=b"2" * 32), lambda scope: give(world, scope, ann), OTHER)

    assert await balance(world, ann) == 110
    assert await answered(world, call(world, ann, fingerprint=b"2" * 32)) == OTHER


async def test_old_responses_are_purged(world: World, ann: User) -> None:
    for key in ("one", "two", "three"):
        await do(world, call(world, ann, key=key), lambda scope: give(world, scope, ann))
    world.clock.advance(KEPT)
    await do(world, call(world, ann, key="young"), lambda scope: give(world, scope, ann))

    assert await world.answers.purge(limit=2) == 2
    assert await world.answers.purge(limit=2) == 1
    assert await world.answers.purge(limit=2) == 0
    assert await answered(world, call(world, ann, key="young")) == ANSWER


async def test_relays_are_notified_only_after_the_response_is_stored(world: World, ann: User, style: Style) -> None:
    async def work(scope: Scope) -> None:
        await world.use_case(RequestGeneration, scope)(ann.id, NewGeneration(style.id, ["cat"]))

    waiting = asyncio.create_task(world.outbox.wait("image_generation", seconds=TIME_LIMIT))
    attempt = await Attempt(world, call(world, ann), work, ANSWER).open()
    assert not waiting.done()

    attempt.finish()
    await attempt.outcome()

    async with asyncio.timeout(TIME_LIMIT / 2):
        await waiting
    page = await world.read.generations.list_own(ann.id, status=StatusFilter.ALL, is_public=None, page=PageRequest())
    assert len(page.rows) == len(await world.tasks()) == 1


async def test_a_block_without_writes_does_not_claim_the_key(world: World, ann: User) -> None:
    """So files can be received and stored between a first look and the work."""

    async def look(scope: Scope) -> None:
        async with scope.transaction:
            await scope.users.username_taken("ann")

    twin = await Attempt(world, call(world, ann), look, OTHER).open()

    await do(world, call(world, ann), lambda scope: give(world, scope, ann))

    twin.crash()
    await twin.outcome()
    assert await balance(world, ann) == 105


async def test_without_begin_a_block_commits_at_exit(world: World, ann: User) -> None:
    scope = world.scope()
    async with scope.call:
        await give(world, scope, ann)
        assert await balance(world, ann) == 105


async def test_after_the_response_a_block_commits_at_exit(world: World, ann: User) -> None:
    scope = world.scope()
    async with scope.call:
        await scope.call.begin(call(world, ann))
        await give(world, scope, ann)
        await scope.call.finish(ANSWER)
        await give(world, scope, ann)
        assert await balance(world, ann) == 110


# --- who is erased meanwhile ------------------------------------------------------------------------------------------


async def test_a_call_of_an_erased_user_finds_no_user(world: World, ann: User) -> None:
    scope = world.scope()
    async with scope.call:
        await scope.call.begin(call(world, ann))
        await erase(world, ann)
        with pytest.raises(UserNotFound):
            await give(world, scope, ann)
        await scope.call.refuse()

    assert await balance(world, ann) == 100


async def test_no_response_is_replayed_to_an_erased_user(world: World, ann: User) -> None:
    scope = world.scope()
    async with scope.call:
        await scope.call.begin(call(world, ann))
        await erase(world, ann)
        with pytest.raises(UserNotFound):
            await scope.call.finish(ANSWER)

    assert await answered(world, call(world, ann)) is None


async def erase(world: World, user: User) -> None:
    await world.use_case(DeleteAccount)(user.id)
