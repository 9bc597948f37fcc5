"""The token ledger: transfers, holds, and concurrent ones."""

import asyncio

import msgspec
import pytest

from core.accounts.model import User
from core.generations.model import Generation
from core.identifiers import HoldId
from core.styles.model import Style
from core.tokens.errors import AccountNotFound, DuplicateTransfer, HoldAlreadyResolved, HoldNotFound, InsufficientTokens
from core.tokens.model import earnings, wallet
from core.withdrawals.model import Withdrawal
from tests.contracts.overlap import Block, Work, commit, race, sending
from tests.contracts.tokens import a_queued_generation, completing, giving_up, transactions
from tests.support.scope import Scope
from tests.support.world import Funds, World, gift, hold_for

# --- moving at once ---------------------------------------------------------------------------------------------------


async def test_a_transfer_moves_tokens(world: World) -> None:
    ann = await world.user("ann")

    await commit(world, lambda ports: ports.ledger.transfer(gift(ann.id, 7, world)))
    await commit(world, lambda ports: ports.ledger.transfer(gift(ann.id, 5, world)))

    assert await world.funds(ann.id) == Funds(ann.id, 12, 0, None)


async def test_opening_an_account_again_changes_nothing(world: World) -> None:
    ann = await world.user("ann", tokens=7)

    await commit(world, lambda ports: ports.ledger.open(wallet(ann.id)))

    assert await world.funds(ann.id) == Funds(ann.id, 7, 0, None)
    await commit(world, lambda ports: ports.ledger.transfer(gift(ann.id, 1, world)))
    assert await world.funds(ann.id) == Funds(ann.id, 8, 0, None)


async def test_concurrent_openings_open_one_account(world: World, sent: bool) -> None:
    ann = await world.user("ann")

    ended = await race(
        world,
        lambda ports: ports.ledger.open(earnings(ann.id)),
        lambda ports: ports.ledger.open(earnings(ann.id)),
        sent=sent,
    )

    assert (ended.first, ended.second) == (None, None)
    assert await world.funds(ann.id) == Funds(ann.id, 0, 0, 0)


async def test_a_repeated_reference_is_refused(world: World) -> None:
    ann = await world.user("ann")
    welcome = gift(ann.id, 7, world, reference="welcome")
    await commit(world, lambda ports: ports.ledger.transfer(welcome))

    with pytest.raises(DuplicateTransfer):
        await commit(world, lambda ports: ports.ledger.transfer(welcome))

    assert await world.funds(ann.id) == Funds(ann.id, 7, 0, None)


async def test_a_repeated_reference_within_a_block_is_refused(world: World) -> None:
    ann = await world.user("ann")

    async def twice(ports: Scope) -> None:
        await ports.ledger.transfer(gift(ann.id, 7, world, reference="welcome"))
        await ports.ledger.transfer(gift(ann.id, 7, world, reference="welcome"))

    with pytest.raises(DuplicateTransfer):
        await commit(world, twice)
    assert await world.funds(ann.id) == Funds(ann.id, 0, 0, None)


async def test_a_hold_and_a_transfer_do_not_share_a_reference(world: World) -> None:
    buyer, generation = await a_queued_generation(world)
    reference = hold_for(generation).reference

    with pytest.raises(DuplicateTransfer):
        await commit(world, lambda ports: ports.ledger.transfer(gift(buyer.id, 7, world, reference=reference)))


async def test_transfers_of_an_unknown_account_are_refused(world: World) -> None:
    ann = await world.user("ann", tokens=7)
    nobody = await world.ids.user()
    to_nobody = gift(nobody, 7, world)
    now = world.clock.now()
    from_no_artist = Withdrawal(await world.ids.withdrawal(), ann.id, 7, await world.ids.hold(), now, now)

    with pytest.raises(AccountNotFound):
        await commit(world, lambda ports: ports.ledger.transfer(to_nobody))
    with pytest.raises(AccountNotFound):
        await commit(world, lambda ports: ports.ledger.hold(from_no_artist.hold()))
    assert await world.funds(ann.id) == Funds(ann.id, 7, 0, None)


# --- in two phases ----------------------------------------------------------------------------------------------------


async def test_held_tokens_are_neither_spendable_nor_earned(world: World) -> None:
    style, buyer = await an_offer(world), await world.user("ann", tokens=100)
    await commit(world, spending(buyer, style, 30, world))

    assert await world.funds(buyer.id) == Funds(buyer.id, 70, 30, None)
    assert await world.funds(style.artist_id) == Funds(style.artist_id, 0, 0, 0)
    with pytest.raises(InsufficientTokens) as refused:
        await commit(world, spending(buyer, style, 71, world))
    assert refused.value.details == {"required": 71, "available": 70}
    await commit(world, spending(buyer, style, 70, world))
    assert await world.funds(buyer.id) == Funds(buyer.id, 0, 100, None)


async def test_a_posted_hold_is_earned(world: World) -> None:
    buyer, generation = await a_queued_generation(world, tokens=100)

    await commit(world, completing(generation, world))

    assert await world.funds(buyer.id) == Funds(buyer.id, 70, 0, None)
    assert await world.funds(generation.artist_id) == Funds(generation.artist_id, 0, 0, 30)


async def test_a_voided_hold_is_spendable_again(world: World) -> None:
    buyer, generation = await a_queued_generation(world, tokens=100)

    await commit(world, giving_up(generation, world))

    assert await world.funds(buyer.id) == Funds(buyer.id, 100, 0, None)
    assert await world.funds(generation.artist_id) == Funds(generation.artist_id, 0, 0, 0)


async def test_artists_pay_for_their_own_styles(world: World) -> None:
    mia = await world.artist("mia", tokens=100)
    generation = await world.generation(mia, await world.style(mia))
    assert await world.funds(mia.id) == Funds(mia.id, 70, 30, 0)

    await commit(world, completing(generation, world))
    assert await world.funds(mia.id) == Funds(mia.id, 70, 0, 30)


async def test_a_hold_cannot_exceed_the_balance(world: World) -> None:
    buyer = await world.user("buyer", tokens=59)
    style = await world.style(await world.artist())
    await world.generation(buyer, style)

    with pytest.raises(InsufficientTokens) as refused:
        await world.generation(buyer, style)

    assert refused.value.details == {"required": 30, "available": 29}
    assert await world.funds(buyer.id) == Funds(buyer.id, 29, 30, None)


async def test_a_hold_requires_both_accounts(world: World) -> None:
    style = await world.style(await world.artist())
    ann = await world.user("ann", tokens=30)
    stranger = User(await world.ids.user(), "test", "stranger", None, "stranger", world.clock.now(), world.clock.now())
    await commit(world, lambda ports: ports.users.add(stranger))

    with pytest.raises(AccountNotFound):
        await world.generation(stranger, style)

    generation = await world.generation(ann, style)
    hold = hold_for(generation)
    without_payee = msgspec.structs.replace(hold, id=await world.ids.hold(), reference="other", credit=earnings(ann.id))
    with pytest.raises(AccountNotFound):
        await commit(world, lambda ports: ports.ledger.hold(without_payee))


async def test_a_hold_is_resolved_only_once(world: World) -> None:
    buyer, completed = await a_queued_generation(world, tokens=100)
    style = await world.style(await world.artist("max"))
    failed = await world.failed_generation(buyer, style)
    await commit(world, completing(completed, world))
    before = await world.funds(buyer.id)

    for generation in (completed, failed):
        for again in (posting(generation.hold_id, world), voiding(generation.hold_id, world)):
            with pytest.raises(HoldAlreadyResolved):
                await commit(world, again)

    assert await world.funds(buyer.id) == before == Funds(buyer.id, 70, 0, None)
    assert (await world.funds(completed.artist_id)).earned_token_balance == 30
    assert (await world.funds(failed.artist_id)).earned_token_balance == 0


async def test_an_unknown_hold_cannot_be_posted_or_voided(world: World) -> None:
    ann = await world.user("ann", tokens=7)
    [line] = (await transactions(world, ann)).rows

    for hold_id in (await world.ids.hold(), HoldId(line.id)):
        with pytest.raises(HoldNotFound):
            await commit(world, posting(hold_id, world))
        with pytest.raises(HoldNotFound):
            await commit(world, voiding(hold_id, world))
    assert await world.funds(ann.id) == Funds(ann.id, 7, 0, None)


# --- at once ----------------------------------------------------------------------------------------------------------


async def test_one_of_two_concurrent_holds_of_the_same_tokens_is_refused(world: World, sent: bool) -> None:
    style, buyer = await an_offer(world), await world.user("ann", tokens=80)
    await commit(world, spending(buyer, style, 30, world))

    ended = await race(world, *[spending(buyer, style, 30, world)] * 2, sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, InsufficientTokens)
    assert ended.second.details == {"required": 30, "available": 20}
    assert await world.funds(buyer.id) == Funds(buyer.id, 20, 60, None)


async def test_concurrent_credits_are_both_counted(world: World, sent: bool) -> None:
    ann = await world.user("ann")

    ended = await race(
        world,
        lambda ports: ports.ledger.transfer(gift(ann.id, 7, world)),
        lambda ports: ports.ledger.transfer(gift(ann.id, 5, world)),
        sent=sent,
    )

    assert (ended.first, ended.second) == (None, None)
    assert await world.funds(ann.id) == Funds(ann.id, 12, 0, None)


async def test_concurrent_completions_are_both_earned(world: World, sent: bool) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia)
    ann, bob = await world.user("ann", tokens=30), await world.user("bob", tokens=30)
    one, other = await world.generation(ann, style), await world.generation(bob, style)

    ended = await race(world, completing(one, world), completing(other, world), sent=sent)

    assert (ended.first, ended.second) == (None, None)
    assert await world.funds(mia.id) == Funds(mia.id, 0, 0, 60)


async def test_one_of_two_concurrent_transfers_with_one_reference_is_refused(world: World, sent: bool) -> None:
    ann = await world.user("ann")

    async def welcome(ports: Scope) -> None:
        await ports.ledger.transfer(gift(ann.id, 7, world, reference="welcome"))

    ended = await race(world, welcome, welcome, sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, DuplicateTransfer)
    assert await world.funds(ann.id) == Funds(ann.id, 7, 0, None)


@pytest.mark.parametrize("first", ["post", "void"])
@pytest.mark.parametrize("second", ["post", "void"])
async def test_one_of_two_concurrent_ends_of_a_hold_is_refused(
    world: World, sent: bool, first: str, second: str
) -> None:
    buyer, generation = await a_queued_generation(world, tokens=30)
    ways = {"post": completing(generation, world), "void": giving_up(generation, world)}

    ended = await race(world, ways[first], ways[second], sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, HoldAlreadyResolved)
    paid = first == "post"
    assert await world.funds(buyer.id) == Funds(buyer.id, 0 if paid else 30, 0, None)
    assert await world.funds(generation.artist_id) == Funds(generation.artist_id, 0, 0, 30 * paid)


async def test_the_loser_of_a_race_stores_nothing(world: World) -> None:
    style, ann = await an_offer(world), await world.user("ann", tokens=10)

    async def spend_and_tell(ports: Scope) -> None:
        await ports.ledger.transfer(gift(ann.id, 2, world))
        await ports.users.save(ann.edit(at=world.clock.now(), username="anna", bio="spent", profile_image=None))
        await spending(ann, style, 8, world)(ports)

    ended = await race(world, spending(ann, style, 10, world), spend_and_tell, sent=True)

    assert isinstance(ended.second, InsufficientTokens)
    assert await world.funds(ann.id) == Funds(ann.id, 0, 10, None)
    assert (await world.read.accounts.me(ann.id)).username == "ann"


async def test_a_waiting_transaction_succeeds_after_a_rollback(world: World) -> None:
    style, ann = await an_offer(world), await world.user("ann", tokens=10)
    image = await world.unsaved_generation(ann, style, consumed_tokens=10)

    async def spend(ports: Scope) -> None:
        await ports.ledger.hold(hold_for(image))
        await ports.generations.add(image)

    first = await Block(world, sending(spend)).open()
    second = Block(world, sending(spend))
    await second.worked_or_waits()
    await first.roll_back()

    assert await second.commit() is None
    assert await world.funds(ann.id) == Funds(ann.id, 0, 10, None)


async def test_concurrent_holds_succeed_up_to_the_balance(world: World) -> None:
    buyer = await world.user("buyer", tokens=100)
    style = await world.style(await world.artist())

    outcomes = await asyncio.gather(*(world.generation(buyer, style) for _ in range(16)), return_exceptions=True)

    assert sum(isinstance(outcome, Generation) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, InsufficientTokens) for outcome in outcomes) == 13
    assert await world.funds(buyer.id) == Funds(buyer.id, 10, 90, None)


def posting(hold_id: HoldId, world: World) -> Work:
    return lambda ports: ports.ledger.post(hold_id, at=world.clock.now())


def voiding(hold_id: HoldId, world: World) -> Work:
    return lambda ports: ports.ledger.void(hold_id, at=world.clock.now())


async def an_offer(world: World) -> Style:
    return await world.style(await world.artist("mia"))


def spending(user: User, style: Style, tokens: int, world: World) -> Work:
    """Asks for an image that costs as much."""

    async def work(ports: Scope) -> None:
        generation = await world.unsaved_generation(user, style, consumed_tokens=tokens)
        await ports.ledger.hold(hold_for(generation))
        await ports.generations.add(generation)

    return work
