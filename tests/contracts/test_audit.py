"""Each administrative action leaves one line, in its own transaction."""

import pytest

from core.accounts.make_admin import MakeAdmin
from core.audit.errors import AdminRequired
from core.audit.model import Action, AuditEntry, Operator, Source, parse_reason
from core.audit.views import AuditLine
from core.bonuses.grant_bonus import GrantBonus
from core.bonuses.take_bonus import TakeBonus
from core.community.delete_comment import DeleteComment
from core.community.post_comment import NewComment, PostComment
from core.errors import ValidationError
from core.paging import PageRequest
from core.requester import Requester, Role
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from tests.support.world import World


async def lines(world: World) -> list[AuditLine]:
    """Oldest first."""
    return (await world.read.audit.list(page=PageRequest())).rows[::-1]


async def test_a_line_names_admin_action_and_target(world: World) -> None:
    mia = await world.user("mia")
    at = world.clock.advance()

    await world.use_case(MakeAdmin)(Operator(None, Source.COMMAND, "root", "a-trace"), mia.id)

    [line] = await lines(world)
    assert line == AuditLine(
        id=line.id,
        admin_id=None,
        source="command",
        account="root",
        action="admin.made",
        target_type="user",
        target_id=str(mia.id),
        before={"role": "user"},
        after={"role": "admin"},
        reason=None,
        trace_id="a-trace",
        created_at=at,
    )


async def test_each_withdrawal_decision_leaves_a_line(world: World) -> None:
    mia, eve = await world.artist("mia"), await world.user("eve")
    await world.earn(mia, 60)
    paid = await world.use_case(RequestWithdrawal)(mia.id, 30)
    world.clock.advance()
    await world.use_case(SettleWithdrawal)(Operator(eve.id), paid.id)
    refused = await world.use_case(RequestWithdrawal)(mia.id, 30)
    world.clock.advance()
    await world.use_case(RejectWithdrawal)(Operator(eve.id), refused.id, reason="No.")

    settled, rejected = await lines(world)
    assert (settled.action, settled.target_id, settled.admin_id) == ("withdrawal.settled", str(paid.id), eve.id)
    assert (settled.before, settled.after, settled.reason) == ({"status": "pending"}, {"status": "settled"}, None)
    assert (rejected.action, rejected.target_id, rejected.reason) == ("withdrawal.rejected", str(refused.id), "No.")
    assert (rejected.before, rejected.after) == ({"status": "pending"}, {"status": "rejected"})


async def test_granting_bonus_tokens_leaves_a_line_with_the_reason(world: World) -> None:
    ann, eve = await world.user("ann"), await world.user("eve")

    await world.use_case(GrantBonus)(Operator(eve.id), ann.id, tokens=30, reason="Sorry.")
    world.clock.advance()
    await world.use_case(TakeBonus)(Operator(eve.id), ann.id, tokens=20, reason="By mistake.")

    granted, taken = await lines(world)
    assert (granted.action, granted.target_id, granted.admin_id) == ("bonus.granted", str(ann.id), eve.id)
    assert (granted.after, granted.reason) == ({"tokens": 30}, "Sorry.")
    assert (taken.action, taken.after, taken.reason) == ("bonus.taken", {"tokens": 20}, "By mistake.")


async def test_a_withdrawal_decision_requires_an_admin(world: World) -> None:
    mia = await world.artist("mia")
    await world.earn(mia, 30)
    withdrawal = await world.use_case(RequestWithdrawal)(mia.id, 30)

    with pytest.raises(AdminRequired):
        await world.use_case(SettleWithdrawal)(Operator(None, Source.COMMAND, "root"), withdrawal.id)
    assert await lines(world) == []


async def test_deleting_a_comment_of_another_user_leaves_a_line(world: World) -> None:
    mia, eve = await world.artist("mia"), await world.user("eve")
    image = await world.image(await world.user("ann", tokens=30), await world.style(mia), public=True)
    theirs = await world.use_case(PostComment)(mia.id, image.id, NewComment("Mine"))
    own = await world.use_case(PostComment)(eve.id, image.id, NewComment("My own"))
    admin = Requester(eve.id, Role.ADMIN, is_artist=False)

    await world.use_case(DeleteComment)(admin, own)
    await world.use_case(DeleteComment)(admin, theirs, trace_id="a-trace")

    [line] = await lines(world)
    assert (line.action, line.target_id, line.trace_id) == ("comment.deleted", str(theirs), "a-trace")
    assert line.before == {"author_id": mia.id, "generation_id": image.id}


async def test_a_rolled_back_action_leaves_no_line(world: World) -> None:
    async def fail() -> None:
        async with world.block() as ports:
            await ports.audit.add(AuditEntry(Operator(None), Action.ADMIN_MADE, "user", "1", world.clock.now()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await lines(world) == []


@pytest.mark.parametrize("reason", ["", " \n", "x" * 501, "a\x00b"])
def test_a_reason_is_plain_text(reason: str) -> None:
    with pytest.raises(ValidationError):
        parse_reason(reason)


def test_a_reason_is_normalized() -> None:
    assert parse_reason("Cafe\u0301") == "Caf\u00e9"
