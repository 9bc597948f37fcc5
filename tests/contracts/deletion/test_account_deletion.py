"""Account deletion: access is revoked, data erased or the account deactivated, nothing of others lost."""

from io import BytesIO

import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.accounts.edit_profile import EditProfile, ProfileChanges
from core.accounts.errors import UserNotFound
from core.accounts.model import Artist, Session, User
from core.accounts.sign_in import SignIn, token_hash
from core.audit.model import Operator
from core.community.errors import CommentNotFound
from core.community.follow_user import FollowUser
from core.derivatives import derivatives_of
from core.generations.complete_generation import CompleteGeneration
from core.generations.errors import GenerationNotFound
from core.generations.record_progress import RecordProgress
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.views import FeedQuery
from core.ports.identity_provider import Identity, SignInFailed
from core.purchases.expire_purchases import ExpirePurchases
from core.purchases.model import TIME_TO_SETTLE, PurchaseStatus
from core.purchases.start_purchase import StartPurchase
from core.requester import Requester, Role
from core.search.views import SearchType
from core.styles.complete_training import CompleteTraining
from core.styles.errors import StyleNotFound, StyleNotReady
from core.styles.model import Style
from core.styles.views import StyleQuery
from core.tokens.model import earnings
from core.tokens.reconcile import Reconcile
from core.tokens.views import TransactionFilter
from core.withdrawals.errors import WithdrawalPending
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.contracts.deletion.steps import PAGE, delete, gone, say, store
from tests.contracts.overlap import commit
from tests.support.pictures import picture
from tests.support.world import World

MIN_JUN = Identity("google", "1076915", "min.jun@example.com", "Min Jun", None)


async def session(world: World, user: User) -> bytes:
    hashed, now = token_hash(world.secrets.token()), world.clock.now()
    opened = Session.start(await world.ids.session(), hashed, user.id, at=now, user_agent="a screen")
    await commit(world, lambda ports: ports.sessions.add(opened))
    return hashed


# --- erased -----------------------------------------------------------------------------------------------------------


async def test_a_deleted_user_is_signed_out_and_not_found(world: World, ann: User) -> None:
    sessions = [await session(world, ann) for _ in range(2)]

    await delete(world, ann)

    for hashed in sessions:
        assert await world.scope().sessions.requester(hashed, at=world.clock.now()) is None
    assert await gone(world, ann)
    for reading in (world.read.accounts.me(ann.id), world.read.accounts.profile(ann.id, viewer=None)):
        with pytest.raises(UserNotFound):
            await reading
    with pytest.raises(UserNotFound):
        await delete(world, ann)


async def test_counts_of_others_stay_exact(world: World, mia: User, ann: User, bob: User, style: Style) -> None:
    image = await world.image(mia, style, public=True)
    for user in (ann, bob):
        await world.like(user, image)
        await world.follow(user, mia)
        await world.follow(mia, user)
    mias = await say(world, mia, image)
    bobs = await say(world, bob, image, to=mias)
    await say(world, ann, image, to=mias)
    anns = await say(world, ann, image)
    await say(world, bob, image, to=anns)

    await delete(world, ann)

    shown = await world.read.generations.detail(image.id, viewer=bob.id)
    assert (shown.like_count, shown.is_liked, shown.comment_count) == (1, True, 2)
    [comment] = (await world.read.community.comments(image.id, viewer=None, page=PAGE)).rows
    assert (comment.id, comment.reply_count, [reply.id for reply in comment.replies]) == (mias, 1, [bobs])
    profile = await world.read.accounts.profile(mia.id, viewer=bob.id)
    assert profile.artist
    assert (profile.artist.follower_count, profile.is_following, profile.stats.following_count) == (1, True, 1)
    assert (await world.read.styles.detail(style.id, viewer=None)).artist.follower_count == 1
    found_entries, unread = await world.read.notifications.list(mia.id, unread_only=False, page=PAGE)
    assert {row.actor.username for row in found_entries.rows if row.actor} == {"bob"}
    assert unread == len(found_entries.rows) == 4
    with pytest.raises(CommentNotFound):
        await world.read.community.comment(anns, viewer=bob.id)
    assert await gone(world, ann)


async def test_images_are_deleted_with_likes_and_comments_of_others(
    world: World, mia: User, ann: User, bob: User, style: Style
) -> None:
    public, private = await world.image(ann, style, public=True), await world.image(ann, style)
    others = await world.image(bob, style, public=True)
    await world.failed_generation(ann, style)
    await store(
        world,
        str(public.public_key),
        *derivatives_of(str(public.public_key)),
        str(public.result_key),
        str(private.result_key),
        str(others.result_key),
    )
    await world.like(bob, public)
    await world.like(ann, public)
    anns = await say(world, ann, public)
    bobs = await say(world, bob, public, to=anns)

    await delete(world, ann)

    feed = await world.read.generations.feed(FeedQuery(), viewer=bob.id, page=PAGE)
    assert [item.id for item in feed.rows] == [others.id]
    for image in (public, private):
        with pytest.raises(GenerationNotFound):
            await world.read.generations.detail(image.id, viewer=ann.id)
    with pytest.raises(CommentNotFound):
        await world.read.community.comment(bobs, viewer=bob.id)
    assert await world.blobs.keys("generations/") == [others.result_key]
    assert await world.blobs.keys("public/generations/") == []
    assert await gone(world, ann)


async def test_uses_and_earnings_of_a_style_survive_the_deletion_of_a_user(
    world: World, mia: User, ann: User, style: Style
) -> None:
    await world.image(ann, style)
    await world.image(mia, style)

    await delete(world, ann)

    [own] = (await world.read.styles.list_own(mia.id, page=PAGE)).rows
    assert (own.usage_count, own.total_earned_tokens) == (2, 60)
    assert (await world.read.styles.detail(style.id, viewer=None)).stats.total_generations == 2
    assert (await world.read.search.search("ink", type=SearchType.STYLES, limit=5)).styles[0].usage_count == 2
    assert (await world.funds(mia.id)).earned_token_balance == 60
    lines = (await world.read.tokens.transactions(mia.id, type=TransactionFilter.GENERATION, page=PAGE)).rows
    assert {(line.direction, line.sender and line.sender.username) for line in lines} == {
        ("in", None),
        ("in", "mia"),
        ("out", "mia"),
    }


async def test_unfinished_generations_are_cancelled_and_late_results_not_paid(
    world: World, mia: User, ann: User, style: Style
) -> None:
    queued, working = await world.generation(ann, style), await world.generation(ann, style)
    await world.use_case(RecordProgress)(
        working.id, current_step=1, total_steps=9, progress_percent=1.0, estimated_seconds=None
    )

    await delete(world, ann)

    for image in (queued, working):
        with pytest.raises(GenerationNotFound):
            await world.use_case(CompleteGeneration)(
                image.id, result_url=world.blobs.uri(f"generations/gen-{image.id}.png"), metadata={}
            )
    assert (await world.funds(mia.id)).earned_token_balance == 0
    assert (await world.funds(ann.id)).held_tokens == 0


async def test_an_artist_with_unused_styles_is_erased(world: World, mia: User, ann: User, style: Style) -> None:
    training = await world.untrained_style(mia, "Oil")
    await world.image(mia, style, public=True)
    await world.use_case(EditProfile)(mia.id, ProfileChanges(), BytesIO(picture()))
    await store(world, f"training/{style.id}/image_0.jpg", f"training/{training.id}/image_0.txt")

    await delete(world, mia)

    assert await gone(world, mia)
    assert (await world.read.styles.list(StyleQuery(), page=PAGE)).rows == []
    for removed in (style, training):
        with pytest.raises(StyleNotFound):
            await world.read.styles.detail(removed.id, viewer=Requester(mia.id, Role.ADMIN, is_artist=True))
    assert await world.blobs.keys("") == []
    with pytest.raises(StyleNotFound):
        await world.use_case(CompleteTraining)(training.version_id, model_path="gs://models/x", metric=None)
    await world.artist("mia")


async def test_tokens_of_a_deleted_user_stay_in_the_ledger(world: World, ann: User) -> None:
    await delete(world, ann)

    assert (await world.funds(ann.id)).token_balance == 1000
    assert (await world.use_case(Reconcile)()).sound


async def test_a_pending_purchase_can_no_longer_be_paid(world: World, ann: User) -> None:
    started = await world.use_case(StartPurchase)(ann.id, "basic_100")

    await delete(world, ann)

    purchase = await commit(world, lambda ports: ports.purchases.of_order(started.order_id))
    assert not purchase.payable(at=purchase.created_at)
    with pytest.raises(UserNotFound):
        await world.use_case(StartPurchase)(ann.id, "basic_100")
    world.clock.advance(TIME_TO_SETTLE)
    await world.use_case(ExpirePurchases)()
    purchase = await commit(world, lambda ports: ports.purchases.of_order(started.order_id))
    assert purchase.status is PurchaseStatus.EXPIRED


async def test_a_capture_with_a_lost_response_is_found_after_the_buyers_deletion(
    world: World, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    started = await world.use_case(StartPurchase)(ann.id, "basic_100")
    key = started.payment_url.rpartition("/")[2]
    world.payments.agree(started.order_id)
    await world.payments.confirm(started.order_id, payment_key=key, amount=10_000)

    await delete(world, ann)
    world.clock.advance(TIME_TO_SETTLE)
    await world.use_case(ExpirePurchases)()

    purchase = await commit(world, lambda ports: ports.purchases.of_order(started.order_id))
    assert purchase.status is PurchaseStatus.PAID
    assert (await world.funds(ann.id)).token_balance == 1100
    assert (await world.use_case(Reconcile)()).sound
    [message] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"user={ann.id} " in message
    assert key in message


async def test_a_pending_withdrawal_prevents_the_deletion(world: World, mia: User, style: Style) -> None:
    fan = await world.earn(mia, 30, style)
    hashed = await session(world, mia)
    withdrawal = await world.use_case(RequestWithdrawal)(mia.id, 30)

    with pytest.raises(WithdrawalPending):
        await delete(world, mia)
    assert await world.scope().sessions.requester(hashed, at=world.clock.now()) is not None

    await world.use_case(RejectWithdrawal)(Operator(fan.id), withdrawal.id, reason="No.")
    await delete(world, fan)
    await delete(world, mia)
    assert await gone(world, mia)
    with pytest.raises(UserNotFound):
        await world.use_case(RequestWithdrawal)(mia.id, 30)
    [kept] = (await world.read.withdrawals.list(status=None, page=PAGE)).rows
    assert (kept.id, kept.artist.id, kept.artist.artist_name, kept.artist.verified_email) == (
        withdrawal.id,
        mia.id,
        None,
        None,
    )


# --- deactivated ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_an_artist_with_used_styles_is_deactivated(
    world: World, mia: User, ann: User, bob: User, style: Style, outcome: str
) -> None:
    image = await (world.image if outcome == "completed" else world.failed_generation)(ann, style)
    unused, own = await world.style(mia, "Oil"), await world.image(mia, style, public=True)
    hashed = await session(world, mia)
    await world.use_case(EditProfile)(mia.id, ProfileChanges(bio="I paint"), BytesIO(picture()))
    await world.follow(bob, mia)
    await world.like(mia, own)

    await delete(world, mia)

    assert await world.scope().sessions.requester(hashed, at=world.clock.now()) is None
    shown = await world.read.generations.detail(image.id, viewer=ann.id)
    assert (shown.style.name, shown.style.artist.artist_name) == ("Ink", "Mia")
    assert (await world.read.generations.detail(own.id, viewer=None)).like_count == 0
    for kept in (style, unused):
        assert not (await world.read.styles.detail(kept.id, viewer=None)).is_active
    with pytest.raises(StyleNotReady):
        await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))
    with pytest.raises(UserNotFound):
        await world.read.accounts.profile(mia.id, viewer=ann.id)
    with pytest.raises(UserNotFound):
        await world.use_case(FollowUser)(ann.id, mia.id)
    assert (await world.read.search.search("mia", type=SearchType.ALL, limit=5)).artists == []
    assert (await world.read.community.following(bob.id, page=PAGE)).rows == []
    assert [key for key in await world.blobs.keys("") if key.startswith("public/profiles/")] == []
    assert len(await world.blobs.keys("signatures/")) == 1
    stored = await commit(world, lambda ports: ports.users.of_identity("test", "mia"))
    assert stored
    assert (stored.email, stored.bio, stored.profile_image) == (None, "", None)


async def test_generations_requested_before_the_deletion_are_completed_and_paid(
    world: World, mia: User, ann: User, style: Style
) -> None:
    image = await world.generation(ann, style)

    await delete(world, mia)
    await world.use_case(CompleteGeneration)(image.id, result_url=world.blobs.uri("generations/1.png"), metadata={})

    assert (await world.funds(mia.id)).earned_token_balance == 30
    assert (await world.funds(ann.id)).token_balance == 970


async def test_a_deactivated_artist_is_not_notified(world: World, mia: User, ann: User, style: Style) -> None:
    await world.image(ann, style)
    own, training = await world.image(mia, style, public=True), await world.untrained_style(mia, "Oil")

    await delete(world, mia)
    await world.like(ann, own)
    await say(world, ann, own)
    await world.use_case(CompleteTraining)(training.version_id, model_path="gs://models/x", metric=None)

    assert (await world.read.notifications.list(mia.id, unread_only=False, page=PAGE))[1] == 0
    assert (await world.read.generations.detail(own.id, viewer=None)).like_count == 1


async def test_a_deactivated_artist_cannot_sign_in(world: World, ann: User) -> None:
    signed_in = await world.use_case(SignIn)(MIN_JUN, user_agent="")
    artist = await commit(world, lambda ports: ports.users.of_id(signed_in.user_id))
    await upgrade(world, artist)
    await world.image(ann, await world.style(artist))
    await delete(world, artist)

    with pytest.raises(SignInFailed) as refused:
        await world.use_case(SignIn)(MIN_JUN, user_agent="")
    assert refused.value.reason == "account_closed"


# --- coming back ------------------------------------------------------------------------------------------------------


async def test_an_erased_user_signs_in_as_a_new_user_without_welcome_tokens(world: World) -> None:
    first = await world.use_case(SignIn)(MIN_JUN, user_agent="")
    await world.use_case(DeleteAccount)(first.user_id)

    second = await world.use_case(SignIn)(MIN_JUN, user_agent="")
    other = await world.use_case(SignIn)(Identity("google", "2", MIN_JUN.email, None, None), user_agent="")

    assert second.is_new
    assert second.user_id != first.user_id
    assert (await world.read.accounts.me(second.user_id)).token_balance == 0
    assert (await world.read.accounts.me(other.user_id)).token_balance == 100
    await world.use_case(DeleteAccount)(second.user_id)
    assert (await world.use_case(SignIn)(MIN_JUN, user_agent="")).is_new


async def upgrade(world: World, user: User) -> None:
    now = world.clock.now()
    async with world.block() as ports:
        await ports.users.add_artist(Artist(user.id, "Min", "min@example.com", f"signatures/{user.id}/x.png", now))
        await ports.users.save(user.become_artist(str(user.email), at=now))
        await ports.ledger.open(earnings(user.id))
