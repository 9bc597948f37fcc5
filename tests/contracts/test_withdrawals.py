import asyncio
from datetime import timedelta
from typing import Any

import pytest

from core.accounts.model import User
from core.audit.model import Operator
from core.errors import ValidationError
from core.generations.complete_generation import CompleteGeneration
from core.paging import PageRequest
from core.problems import wrong_token_amount
from core.tokens.errors import AccountNotFound, InsufficientTokens
from core.tokens.model import MAX_AMOUNT, PayoutTerms
from core.tokens.views import RelatedWithdrawal, TransactionFilter
from core.withdrawals.errors import WithdrawalEnded, WithdrawalNotFound, WithdrawalPending
from core.withdrawals.model import Withdrawal, WithdrawalStatus
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from core.withdrawals.views import Payee, WithdrawalToSettle, WithdrawalView
from tests.contracts.overlap import Work, race
from tests.support.scope import Scope
from tests.support.world import Funds, World

PRICE = 30


async def an_artist_who_earned(world: World, name: str) -> User:
    """60 tokens, which others have bought and which have matured."""
    artist = await world.artist(name)
    style, ann = await world.style(artist), await world.user(f"buyer of {name}", bought=200)
    for _ in range(2):
        await world.image(ann, style)
    world.clock.advance()
    return artist


@pytest.fixture
async def mia(world: World) -> User:
    return await an_artist_who_earned(world, "mia")


@pytest.fixture
async def admin(world: World) -> User:
    return await world.user("eve")


async def ask(world: World, artist: User, amount: int) -> WithdrawalView:
    return await world.use_case(RequestWithdrawal)(artist.id, amount)


async def state(world: World, artist: User, withdrawal: WithdrawalView) -> WithdrawalView:
    return await world.read.withdrawals.of_owner(artist.id, withdrawal.id)


async def earned(world: World, artist: User) -> int | None:
    return (await world.funds(artist.id)).earned_token_balance


async def test_a_requested_withdrawal_holds_its_tokens(world: World, mia: User) -> None:
    withdrawal = await ask(world, mia, 40)

    assert withdrawal == WithdrawalView(withdrawal.id, 40, "pending", None, world.clock.now(), None)
    assert await state(world, mia, withdrawal) == withdrawal
    assert await world.funds(mia.id) == Funds(mia.id, 0, 0, 20)
    me = await world.read.accounts.me(mia.id)
    assert me.artist
    assert me.artist.earned_token_balance == 20
    with pytest.raises(WithdrawalPending):
        await ask(world, mia, 20)


async def test_a_settled_withdrawal_posts_the_hold(world: World, mia: User, admin: User) -> None:
    withdrawal = await ask(world, mia, 40)
    ended_at = world.clock.advance()

    await world.use_case(SettleWithdrawal)(Operator(admin.id), withdrawal.id)

    expected = WithdrawalView(withdrawal.id, 40, "settled", None, withdrawal.created_at, ended_at)
    assert await state(world, mia, withdrawal) == expected
    assert await earned(world, mia) == 20
    with pytest.raises(InsufficientTokens) as refused:
        await ask(world, mia, 21)
    assert refused.value.details == {"required": 21, "available": 20}
    await ask(world, mia, 20)


async def test_a_rejected_withdrawal_voids_the_hold(world: World, mia: User, admin: User) -> None:
    withdrawal = await ask(world, mia, 60)
    ended_at = world.clock.advance()

    await world.use_case(RejectWithdrawal)(Operator(admin.id), withdrawal.id, reason="No account is known.")

    expected = WithdrawalView(withdrawal.id, 60, "rejected", "No account is known.", withdrawal.created_at, ended_at)
    assert await state(world, mia, withdrawal) == expected
    assert await earned(world, mia) == 60


@pytest.mark.parametrize("first", [SettleWithdrawal, RejectWithdrawal])
@pytest.mark.parametrize("second", [SettleWithdrawal, RejectWithdrawal])
async def test_a_withdrawal_is_decided_once(
    world: World, mia: User, admin: User, first: type[Any], second: type[Any]
) -> None:
    withdrawal = await ask(world, mia, 40)
    reasons: dict[type[Any], dict[str, str]] = {SettleWithdrawal: {}, RejectWithdrawal: {"reason": "No."}}
    await world.use_case(first)(Operator(admin.id), withdrawal.id, **reasons[first])

    with pytest.raises(WithdrawalEnded):
        await world.use_case(second)(Operator(admin.id), withdrawal.id, **reasons[second])
    assert await earned(world, mia) == (20 if first is SettleWithdrawal else 60)


@pytest.mark.parametrize("amount", [0, -1, 9, MAX_AMOUNT + 1])
async def test_an_invalid_amount_is_refused(world: World, mia: User, amount: int) -> None:
    world.payouts = PayoutTerms(timedelta(), minimum=10)

    with pytest.raises(ValidationError) as refused:
        await ask(world, mia, amount)
    assert refused.value.details == {"amount": wrong_token_amount(10, MAX_AMOUNT)}


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
async def test_a_rejection_has_a_reason(world: World, mia: User, admin: User, reason: str) -> None:
    withdrawal = await ask(world, mia, 40)

    with pytest.raises(ValidationError):
        await world.use_case(RejectWithdrawal)(Operator(admin.id), withdrawal.id, reason=reason)
    assert await earned(world, mia) == 20


async def test_a_user_who_is_not_an_artist_cannot_withdraw(world: World, admin: User) -> None:
    with pytest.raises(AccountNotFound):
        await ask(world, admin, 1)


async def test_an_unknown_withdrawal_cannot_be_decided(world: World, admin: User) -> None:
    nothing = await world.ids.withdrawal()

    with pytest.raises(WithdrawalNotFound):
        await world.use_case(SettleWithdrawal)(Operator(admin.id), nothing)
    with pytest.raises(WithdrawalNotFound):
        await world.use_case(RejectWithdrawal)(Operator(admin.id), nothing, reason="No.")


async def test_another_users_withdrawal_is_not_found(world: World, mia: User) -> None:
    withdrawal = await ask(world, mia, 40)

    with pytest.raises(WithdrawalNotFound):
        await world.read.withdrawals.of_owner((await world.artist("zoe")).id, withdrawal.id)


# --- at once ----------------------------------------------------------------------------------------------------------


def asking(world: World, artist: User, amount: int) -> Work:
    async def work(ports: Scope) -> None:
        now = world.clock.now()
        withdrawal = Withdrawal(await world.ids.withdrawal(), artist.id, amount, await world.ids.hold(), now, now)
        await ports.ledger.hold(withdrawal.hold())
        await ports.withdrawals.add(withdrawal)

    return work


async def test_one_of_two_concurrent_withdrawals_is_refused(world: World, mia: User, sent: bool) -> None:
    ended = await race(world, asking(world, mia, 20), asking(world, mia, 20), sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, WithdrawalPending)
    assert await earned(world, mia) == 40


async def test_one_of_many_concurrent_withdrawals_is_accepted(world: World, mia: User) -> None:
    outcomes = await asyncio.gather(*(ask(world, mia, 20) for _ in range(16)), return_exceptions=True)

    assert sum(isinstance(outcome, WithdrawalView) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, WithdrawalPending) for outcome in outcomes) == 15
    assert await earned(world, mia) == 40


async def test_withdrawing_races_with_posting(world: World, mia: User, admin: User) -> None:
    style, bob = await world.style(mia, "Oil"), await world.user("bob", bought=300)
    images = [await world.generation(bob, style) for _ in range(5)]
    complete = [
        world.use_case(CompleteGeneration)(
            image.id, result_url=world.blobs.uri(f"generations/gen-{image.id}.png"), metadata={}
        )
        for image in images
    ]

    outcomes = await asyncio.gather(*complete, *(ask(world, mia, 60) for _ in range(9)), return_exceptions=True)

    [withdrawal] = [outcome for outcome in outcomes if isinstance(outcome, WithdrawalView)]
    assert await earned(world, mia) == 5 * 30
    await world.use_case(SettleWithdrawal)(Operator(admin.id), withdrawal.id)
    assert await earned(world, mia) == 5 * 30
    assert all(not finding.broken for finding in await world.books.examine())


async def test_settling_races_with_rejecting(world: World, mia: User, admin: User) -> None:
    artists = [mia, *[await an_artist_who_earned(world, name) for name in ("max", "mo", "moe")]]
    withdrawals = [await ask(world, artist, 6) for artist in artists]

    async def settle(withdrawal: WithdrawalView) -> bool:
        try:
            await world.use_case(SettleWithdrawal)(Operator(admin.id), withdrawal.id)
        except WithdrawalEnded:
            return False
        return True

    async def reject(withdrawal: WithdrawalView) -> bool:
        try:
            await world.use_case(RejectWithdrawal)(Operator(admin.id), withdrawal.id, reason="No.")
        except WithdrawalEnded:
            return False
        return True

    won = await asyncio.gather(*(one(each) for each in withdrawals for one in (settle, reject)))

    for settled, rejected, artist, withdrawal in zip(won[::2], won[1::2], artists, withdrawals, strict=True):
        assert settled != rejected
        assert (await state(world, artist, withdrawal)).status == ("settled" if settled else "rejected")
        assert await earned(world, artist) == 60 - 6 * settled
    assert all(not finding.broken for finding in await world.books.examine())


# --- as people see it -------------------------------------------------------------------------------------------------


async def test_a_withdrawal_is_listed_among_the_transactions(world: World, mia: User, admin: User) -> None:
    one = await ask(world, mia, 40)
    await world.use_case(SettleWithdrawal)(Operator(admin.id), one.id)
    other = await ask(world, mia, 10)
    await world.use_case(RejectWithdrawal)(Operator(admin.id), other.id, reason="No.")
    await ask(world, mia, 5)

    page = await world.read.tokens.transactions(mia.id, type=TransactionFilter.WITHDRAWAL, page=PageRequest())

    shown = {line.amount: (line.type, line.direction, line.status, line.refunded) for line in page.rows}
    assert shown == {
        40: ("withdrawal", "out", "completed", False),
        10: ("withdrawal", "out", "failed", True),
        5: ("withdrawal", "out", "pending", False),
    }
    assert {line.amount: line.related_withdrawal for line in page.rows}[40] == RelatedWithdrawal(one.id, "settled")
    refunds = await world.read.tokens.transactions(mia.id, type=TransactionFilter.REFUND, page=PageRequest())
    assert [line.amount for line in refunds.rows] == [10]


async def test_admins_see_all_withdrawals_with_their_artists(world: World, mia: User, admin: User) -> None:
    settled = await ask(world, mia, 40)
    world.clock.advance()
    await world.use_case(SettleWithdrawal)(Operator(admin.id), settled.id)
    pending = await ask(world, mia, 10)

    everybodys = await world.read.withdrawals.list(status=None, page=PageRequest())

    assert [row.id for row in everybodys.rows] == [pending.id, settled.id]
    assert everybodys.rows[0] == WithdrawalToSettle(
        id=pending.id,
        amount=10,
        status="pending",
        reason=None,
        created_at=world.clock.now(),
        ended_at=None,
        artist=Payee(mia.id, "mia", "Mia", "mia@example.com"),
        ended_by=None,
    )
    assert everybodys.rows[1].ended_by == admin.id
    for status, found in ((WithdrawalStatus.PENDING, [pending.id]), (WithdrawalStatus.REJECTED, [])):
        page = await world.read.withdrawals.list(status=status, page=PageRequest())
        assert [row.id for row in page.rows] == found
