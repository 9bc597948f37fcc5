"""Only money becomes money: bonus and bought tokens from the wallet to the withdrawal."""

from datetime import timedelta

import pytest

from core.accounts.errors import UserNotFound
from core.accounts.model import User
from core.audit.model import Operator
from core.bonuses.grant_bonus import GrantBonus
from core.bonuses.take_bonus import TakeBonus
from core.errors import ValidationError
from core.paging import PageRequest
from core.styles.model import Style
from core.tokens.errors import AccountNotFound, InsufficientTokens
from core.tokens.model import PayoutTerms, PlatformFee
from core.tokens.views import Balance, TransactionFilter
from core.withdrawals.errors import OwnWithdrawal, WithdrawalNotFound
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from core.withdrawals.views import Payer, WithdrawalSources
from tests.contracts.overlap import race
from tests.contracts.tokens import sound
from tests.support.scope import Scope
from tests.support.world import World

DELAY = timedelta(days=14)


@pytest.fixture
async def mia(world: World) -> User:
    world.payouts = PayoutTerms(DELAY, minimum=1)
    return await world.artist("mia")


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    """Of 30 tokens an image."""
    return await world.style(mia)


async def sources(world: World, user: User) -> tuple[int, int]:
    """The tokens in a wallet, and the bonus part of them."""
    balance = await world.balance(user.id)
    return balance.token_balance, balance.bonus_tokens


async def withdrawable(world: World, artist: User) -> tuple[int | None, int | None, int | None]:
    """What an artist has earned, what of it can be withdrawn, and what will be."""
    balance = await world.balance(artist.id)
    return balance.earned_token_balance, balance.withdrawable_tokens, balance.maturing_tokens


async def test_bonus_tokens_are_spent_first(world: World, mia: User, style: Style) -> None:
    ann = await world.user("ann", tokens=40, bought=100)
    assert await sources(world, ann) == (140, 40)

    spent = []
    for _ in range(3):
        await world.image(ann, style)
        spent.append(await sources(world, ann))

    assert spent == [(110, 10), (80, 0), (50, 0)]
    assert await withdrawable(world, mia) == (90, 0, 50)
    assert await sound(world)


async def test_a_hold_takes_bonus_tokens_first(world: World, style: Style) -> None:
    ann = await world.user("ann", tokens=40, bought=100)

    generation = await world.generation(ann, style)
    assert await sources(world, ann) == (110, 10)
    await world.generation(ann, style)
    assert await sources(world, ann) == (80, 0)
    async with world.block() as scope:
        await scope.generations.save(generation.cancel(at=world.clock.now()))
        await scope.ledger.void(generation.hold_id, at=world.clock.now())

    assert await sources(world, ann) == (110, 10)
    assert await sound(world)


async def test_concurrent_completions_spend_a_bonus_token_once(
    world: World, mia: User, style: Style, sent: bool
) -> None:
    ann = await world.user("ann", tokens=40, bought=20)
    generations = [await world.generation(ann, style) for _ in range(2)]
    at = world.clock.now()

    async def complete(ports: Scope, number: int) -> None:
        generation = generations[number]
        key = f"generations/gen-{generation.id}.png"
        await ports.generations.save(generation.complete(at=at, result_key=key, metadata={}))
        await ports.ledger.post(generation.hold_id, at=at)

    ended = await race(world, lambda ports: complete(ports, 0), lambda ports: complete(ports, 1), sent=sent)

    assert (ended.first, ended.second) == (None, None)
    assert await sources(world, ann) == (0, 0)
    assert await withdrawable(world, mia) == (60, 0, 20)
    assert await sound(world)


async def test_bought_tokens_mature(world: World, mia: User, style: Style) -> None:
    await world.image(await world.user("ann", bought=100), style)
    world.clock.advance(DELAY)
    await world.image(await world.user("bob", bought=100), style)
    assert await withdrawable(world, mia) == (60, 0, 60)
    with pytest.raises(InsufficientTokens) as refused:
        await world.use_case(RequestWithdrawal)(mia.id, 1)
    assert refused.value.details == {"required": 1, "available": 0}

    world.clock.advance()

    assert await withdrawable(world, mia) == (60, 30, 30)
    with pytest.raises(InsufficientTokens):
        await world.use_case(RequestWithdrawal)(mia.id, 31)
    await world.use_case(RequestWithdrawal)(mia.id, 30)
    assert await withdrawable(world, mia) == (30, 0, 30)
    assert await sound(world)


async def test_payments_for_own_styles_are_not_withdrawable(world: World, style: Style, mia: User) -> None:
    await world.buy(mia, 100)
    await world.image(mia, style)
    world.clock.advance(2 * DELAY)

    assert await withdrawable(world, mia) == (30, 0, 0)
    with pytest.raises(InsufficientTokens):
        await world.use_case(RequestWithdrawal)(mia.id, 1)
    assert await sound(world)


async def test_bonus_earnings_are_not_withdrawable(world: World, mia: User, style: Style) -> None:
    """A ring of fresh accounts with their welcome tokens."""
    for name in ("ann", "bob", "cat"):
        await world.image(await world.user(name, tokens=100), style)
    world.clock.advance(2 * DELAY)

    assert await withdrawable(world, mia) == (90, 0, 0)
    with pytest.raises(InsufficientTokens):
        await world.use_case(RequestWithdrawal)(mia.id, 1)


@pytest.mark.parametrize(("percent", "fees"), [(10, [0, 2, 3]), (33, [0, 6, 9]), (100, [0, 20, 30])])
async def test_a_fee_is_taken_from_both_parts(
    world: World, mia: User, style: Style, percent: int, fees: list[int]
) -> None:
    """The withdrawable part bears its share, rounded down."""
    world.fee = PlatformFee(percent)
    ann = await world.user("ann", tokens=40, bought=100)
    for _ in range(3):
        await world.image(ann, style)

    assert await withdrawable(world, mia) == (90 - 3 * world.fee.of(30), 0, 50 - sum(fees))
    assert await sound(world)


async def test_a_fee_on_an_own_generation_is_not_withdrawable(world: World, mia: User, style: Style) -> None:
    world.fee = PlatformFee(10)
    await world.buy(mia, 100)
    await world.image(mia, style)
    await world.image(await world.user("ann", bought=100), style)

    assert await withdrawable(world, mia) == (54, 0, 27)
    assert await sound(world)


async def test_a_user_who_is_not_an_artist_has_nothing_withdrawable(world: World) -> None:
    ann = await world.user("ann", tokens=5)

    assert await world.balance(ann.id) == Balance(ann.id, 5, 5, 0, 0, None, None, None)
    with pytest.raises(AccountNotFound):
        async with world.block() as scope:
            await scope.ledger.withdrawable(ann.id, earned_until=world.clock.now())


async def test_transactions_show_the_bonus_part(world: World, mia: User, style: Style) -> None:
    world.fee = PlatformFee(10)
    ann = await world.user("ann", tokens=40)
    world.clock.advance()
    await world.buy(ann, 100)
    for end in (world.image, world.image, world.failed_generation, world.generation):
        world.clock.advance()
        await end(ann, style)

    async def shown(user: User) -> list[tuple[str, str, int, int | None]]:
        page = await world.read.tokens.transactions(user.id, type=TransactionFilter.ALL, page=PageRequest())
        return [(line.type, line.direction, line.amount, line.bonus_tokens) for line in page.rows]

    assert await shown(ann) == [
        ("generation", "out", 30, None),
        ("generation", "out", 30, None),
        ("generation", "out", 30, 10),
        ("generation", "out", 30, 30),
        ("purchase", "in", 100, 0),
        ("bonus", "in", 40, 40),
    ]
    assert sorted(await shown(mia)) == [
        ("generation", "in", 30, 10),
        ("generation", "in", 30, 30),
        ("generation", "out", 3, 1),
        ("generation", "out", 3, 3),
    ]


# --- by an admin ------------------------------------------------------------------------------------------------------


async def test_bonus_tokens_are_granted_and_revoked(world: World) -> None:
    ann = await world.user("ann", bought=100)

    await world.use_case(GrantBonus)(Operator(None), ann.id, tokens=30, reason="Sorry.")
    world.clock.advance()
    assert await sources(world, ann) == (130, 30)
    await world.use_case(TakeBonus)(Operator(None), ann.id, tokens=20, reason="By mistake.")

    assert await sources(world, ann) == (110, 10)
    page = await world.read.tokens.transactions(ann.id, type=TransactionFilter.BONUS, page=PageRequest())
    assert [(line.direction, line.amount, line.memo) for line in page.rows] == [
        ("out", 20, "By mistake."),
        ("in", 30, "Sorry."),
    ]
    with pytest.raises(InsufficientTokens) as refused:
        await world.use_case(TakeBonus)(Operator(None), ann.id, tokens=11, reason="More.")
    assert refused.value.details == {"required": 11, "available": 10}
    assert await sources(world, ann) == (110, 10)
    assert await sound(world)


@pytest.mark.parametrize("use_case", [GrantBonus, TakeBonus])
async def test_a_grant_requires_tokens_a_reason_and_a_user(
    world: World, use_case: type[GrantBonus] | type[TakeBonus]
) -> None:
    ann = await world.user("ann", tokens=10)

    for tokens, reason, field in ((0, "x", "tokens"), (1_000_000_001, "x", "tokens"), (1, " ", "reason")):
        with pytest.raises(ValidationError) as refused:
            await world.use_case(use_case)(Operator(None), ann.id, tokens=tokens, reason=reason)
        assert list(refused.value.details or {}) == [field]
    with pytest.raises(UserNotFound):
        await world.use_case(use_case)(Operator(None), await world.ids.user(), tokens=1, reason="x")
    assert await sources(world, ann) == (10, 10)


async def test_admins_cannot_decide_on_their_own_withdrawal(world: World, mia: User, style: Style) -> None:
    await world.image(await world.user("ann", bought=100), style)
    world.clock.advance(2 * DELAY)
    withdrawal = await world.use_case(RequestWithdrawal)(mia.id, 30)

    with pytest.raises(OwnWithdrawal):
        await world.use_case(SettleWithdrawal)(Operator(mia.id), withdrawal.id)
    with pytest.raises(OwnWithdrawal):
        await world.use_case(RejectWithdrawal)(Operator(mia.id), withdrawal.id, reason="No.")
    assert (await world.read.withdrawals.of_owner(mia.id, withdrawal.id)).status == "pending"


async def test_an_admin_sees_the_sources_of_a_withdrawal(world: World, mia: User, style: Style) -> None:
    world.fee = PlatformFee(10)
    ann, bob = await world.user("ann", tokens=30, bought=100), await world.user("bob", bought=100)
    await world.buy(mia, 100)
    first = world.clock.advance()
    for payer in (ann, ann, bob, bob, mia):
        await world.image(payer, style)
    eve = await world.user("eve")
    world.clock.advance(2 * DELAY)
    earlier = await world.use_case(RequestWithdrawal)(mia.id, 10)
    rejected_at = world.clock.advance()
    await world.use_case(SettleWithdrawal)(Operator(eve.id), earlier.id)
    rejected = await world.use_case(RequestWithdrawal)(mia.id, 5)
    await world.use_case(RejectWithdrawal)(Operator(eve.id), rejected.id, reason="No.")
    assert rejected.created_at == rejected_at
    await world.image(ann, style)  # not in time for the next one
    world.clock.advance()
    withdrawal = await world.use_case(RequestWithdrawal)(mia.id, 20)

    assert await world.read.withdrawals.sources(withdrawal.id) == WithdrawalSources(
        earned_until=withdrawal.created_at - DELAY,
        paid_tokens=90,
        bonus_tokens=30,
        own_tokens=30,
        fee_tokens=9,
        withdrawn_tokens=10,
        debt_tokens=0,
        payers=2,
        first_paid_at=first,
        last_paid_at=first,
        largest_payers=[Payer(bob.id, "bob", 60, 2), Payer(ann.id, "ann", 30, 1)],
    )
    assert (await world.read.withdrawals.sources(earlier.id)).withdrawn_tokens == 0
    with pytest.raises(WithdrawalNotFound):
        await world.read.withdrawals.sources(await world.ids.withdrawal())
