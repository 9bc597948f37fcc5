"""Balances and transactions as readers show them."""

import pytest

from core.identifiers import HoldId, UserId
from core.paging import Page, PageRequest
from core.tokens.model import ISSUANCE, Transfer, TransferKind, wallet
from core.tokens.views import Party, RelatedGeneration, RelatedStyle, TransactionFilter, TransactionLine
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.contracts.overlap import Block, commit
from tests.contracts.tokens import a_queued_generation, completing, giving_up, transactions
from tests.support.world import Funds, World, gift


async def test_a_user_without_an_account_has_a_balance_of_zero(world: World) -> None:
    nobody = UserId(4711)

    assert await world.funds(nobody) == Funds(nobody, 0, 0, None)
    empty: Page[TransactionLine] = Page([], None)
    assert (await world.read.tokens.transactions(nobody, type=TransactionFilter.ALL, page=PageRequest())) == empty


async def test_a_payer_sees_one_line_from_hold_to_post(world: World) -> None:
    buyer, generation = await a_queued_generation(world)
    artist = await commit(world, lambda ports: ports.users.of_id(generation.artist_id))
    pending = TransactionLine(
        id=(await transactions(world, buyer, TransactionFilter.GENERATION)).rows[0].id,
        type="generation",
        direction="out",
        amount=30,
        bonus_tokens=None,
        status="pending",
        refunded=False,
        price_per_token=None,
        total_price=None,
        currency_code=None,
        memo=None,
        created_at=generation.created_at,
        sender=Party(buyer.id, "buyer"),
        receiver=Party(artist.id, "mia"),
        related_style=RelatedStyle(generation.style_id, "Ink"),
        related_generation=RelatedGeneration(generation.id, "queued"),
    )
    assert HoldId(pending.id) == generation.hold_id
    assert (await transactions(world, buyer, TransactionFilter.GENERATION)).rows == [pending]
    assert (await transactions(world, artist)).rows == []

    world.clock.advance()
    await commit(world, completing(generation, world))

    [line] = (await transactions(world, buyer, TransactionFilter.GENERATION)).rows
    assert (line.id, line.status, line.refunded) == (pending.id, "completed", False)
    assert line.created_at == pending.created_at
    assert line.related_generation == RelatedGeneration(generation.id, "completed")


async def test_a_payer_sees_a_voided_hold_on_the_same_line(world: World) -> None:
    buyer, generation = await a_queued_generation(world)
    world.clock.advance()
    await commit(world, giving_up(generation, world))

    [line] = (await transactions(world, buyer, TransactionFilter.GENERATION)).rows

    assert (HoldId(line.id), line.direction, line.amount) == (generation.hold_id, "out", 30)
    assert (line.status, line.refunded, line.created_at) == ("failed", True, generation.created_at)
    artist = await commit(world, lambda ports: ports.users.of_id(generation.artist_id))
    assert (await transactions(world, artist)).rows == []


async def test_a_payee_sees_a_transfer_when_it_is_posted(world: World) -> None:
    buyer, generation = await a_queued_generation(world)
    posted = world.clock.advance()
    await commit(world, completing(generation, world))
    artist = await commit(world, lambda ports: ports.users.of_id(generation.artist_id))

    [line] = (await transactions(world, artist)).rows

    assert (line.type, line.direction, line.amount, line.status) == ("generation", "in", 30, "completed")
    assert (line.sender, line.receiver) == (Party(buyer.id, "buyer"), Party(artist.id, "mia"))
    assert line.created_at == posted
    assert HoldId(line.id) != generation.hold_id
    assert line.related_generation == RelatedGeneration(generation.id, "completed")


async def test_a_payer_who_is_also_the_payee_sees_both_lines(world: World) -> None:
    mia = await world.artist("mia", tokens=30)
    generation = await world.generation(mia, await world.style(mia))
    world.clock.advance()
    await commit(world, completing(generation, world))

    lines = (await transactions(world, mia, TransactionFilter.GENERATION)).rows

    assert [(line.direction, line.status) for line in lines] == [("in", "completed"), ("out", "completed")]
    assert len({line.id for line in lines}) == 2


async def test_a_gift_comes_from_the_platform(world: World) -> None:
    ann = await world.user("ann", tokens=7)

    [line] = (await transactions(world, ann)).rows

    assert (line.type, line.direction, line.amount, line.status) == ("bonus", "in", 7, "completed")
    assert (line.sender, line.receiver) == (None, Party(ann.id, "ann"))
    assert (line.related_style, line.related_generation) == (None, None)


async def test_a_memo_is_stored(world: World) -> None:
    ann = await world.user("ann")
    transfer = Transfer("x", TransferKind.BONUS, ISSUANCE, wallet(ann.id), 7, world.clock.now(), memo="어서 오세요")

    await commit(world, lambda ports: ports.ledger.transfer(transfer))

    assert [line.memo for line in (await transactions(world, ann)).rows] == ["어서 오세요"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (
            TransactionFilter.ALL,
            ["withdrawal pending", "bonus", "generation failed", "generation pending", "generation", "bonus"],
        ),
        (TransactionFilter.GENERATION, ["generation failed", "generation pending", "generation"]),
        (TransactionFilter.REFUND, ["generation failed"]),
        (TransactionFilter.BONUS, ["bonus", "bonus"]),
        (TransactionFilter.WITHDRAWAL, ["withdrawal pending"]),
        (TransactionFilter.PURCHASE, []),
    ],
)
async def test_transactions_are_filtered_by_type_and_status(
    world: World, wanted: TransactionFilter, found: list[str]
) -> None:
    style = await world.style(await world.artist())
    ann, bob = await world.artist("ann", tokens=100), await world.user("bob", bought=30)
    world.clock.advance()
    await world.image(bob, await world.style(ann, "Oil"))
    world.clock.advance()
    await world.generation(ann, style)
    world.clock.advance()
    await world.failed_generation(ann, style)
    taken = Transfer("x", TransferKind.TAKEN_BONUS, wallet(ann.id), ISSUANCE, 1, world.clock.advance())
    await commit(world, lambda ports: ports.ledger.transfer(taken))
    world.clock.advance()
    await world.use_case(RequestWithdrawal)(ann.id, 1)

    lines = (await transactions(world, ann, wanted)).rows

    assert [line.type if line.status == "completed" else f"{line.type} {line.status}" for line in lines] == found


async def test_uncommitted_transfers_of_others_are_invisible(world: World) -> None:
    ann = await world.user("ann")
    block = await Block(world, lambda ports: ports.ledger.transfer(gift(ann.id, 7, world))).open()

    assert (await transactions(world, ann)).rows == []

    await block.commit()
    assert len((await transactions(world, ann)).rows) == 1
