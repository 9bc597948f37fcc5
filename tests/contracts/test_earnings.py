"""The platform's fee, and the artist's share of a price."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from core.accounts.model import User
from core.errors import ValidationError
from core.generations.complete_generation import CompleteGeneration
from core.generations.model import Generation
from core.identifiers import UserId
from core.paging import PageRequest
from core.styles.model import Style
from core.tokens.model import PlatformFee
from core.tokens.views import (
    Earnings,
    EarningsGroup,
    EarningsLine,
    RelatedGeneration,
    RelatedStyle,
    TransactionFilter,
)
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.support.world import Funds, World

DAY = timedelta(days=1)


async def complete(world: World, image: Generation) -> None:
    done = world.use_case(CompleteGeneration)
    await done(image.id, result_url=world.blobs.uri(f"generations/gen-{image.id}.png"), metadata={})


async def earned(world: World, artist: User) -> int | None:
    return (await world.funds(artist.id)).earned_token_balance


@pytest.fixture
async def ink(world: World, mia: User) -> Style:
    return await world.style(mia, "Ink", generation_cost_tokens=19)


# --- the fee ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "fee"), [(0, 0), (1, 0), (5, 0), (6, 1), (10, 1), (30, 5), (99, 18), (100, 19)], ids=str
)
async def test_the_fee_is_rounded_to_whole_tokens(
    world: World, mia: User, ink: Style, ann: User, percent: int, fee: int
) -> None:
    image = await world.generation(ann, ink)
    world.fee = PlatformFee(percent)

    await complete(world, image)

    assert await world.funds(ann.id) == Funds(ann.id, 981, 0, None)
    assert await earned(world, mia) == 19 - fee
    [card] = (await world.read.styles.list_own(mia.id, page=PageRequest())).rows
    assert card.total_earned_tokens == 19 - fee
    assert all(not finding.broken for finding in await world.books.examine())


async def test_the_fee_at_completion_applies(world: World, mia: User, ink: Style, ann: User) -> None:
    world.fee = PlatformFee(50)
    image = await world.generation(ann, ink)
    world.fee = PlatformFee(10)

    await complete(world, image)

    assert await earned(world, mia) == 18


async def test_the_fee_is_a_line_of_the_artists_transactions(world: World, mia: User, ink: Style, ann: User) -> None:
    world.fee = PlatformFee(10)
    image = await world.generation(ann, ink)
    world.clock.advance()
    await complete(world, image)

    page = await world.read.tokens.transactions(mia.id, type=TransactionFilter.GENERATION, page=PageRequest())

    fee, paid = page.rows
    assert (paid.type, paid.direction, paid.amount, paid.memo) == ("generation", "in", 19, None)
    assert (fee.type, fee.direction, fee.amount, fee.memo) == ("generation", "out", 1, "Platform fee")
    assert (fee.status, fee.refunded, fee.receiver) == ("completed", False, None)
    assert (fee.related_style, fee.related_generation) == (
        RelatedStyle(ink.id, "Ink"),
        RelatedGeneration(image.id, "completed"),
    )
    everything = await world.read.tokens.transactions(mia.id, type=TransactionFilter.ALL, page=PageRequest())
    assert everything.rows == page.rows
    bought = await world.read.tokens.transactions(ann.id, type=TransactionFilter.GENERATION, page=PageRequest())
    assert [line.amount for line in bought.rows] == [19]


async def test_concurrent_fees_are_all_collected(world: World, mia: User, ink: Style, ann: User) -> None:
    world.fee = PlatformFee(10)
    images = [await world.generation(ann, ink) for _ in range(12)]

    await asyncio.gather(*(complete(world, image) for image in images))

    assert await earned(world, mia) == 12 * 18
    findings = await world.books.examine()
    assert all(not finding.broken for finding in findings)
    assert {finding.invariant.name: finding.checked for finding in findings}["FEES"] == 12


# --- earnings in a period ---------------------------------------------------------------------------------------------


async def test_earnings_are_grouped_by_day_and_by_style(world: World, mia: User, ink: Style, ann: User) -> None:
    oil = await world.style(mia, "Oil", generation_cost_tokens=100)
    world.clock.advance(datetime(2027, 1, 1, 23, 59, 59, tzinfo=UTC) - world.clock.now())
    first = world.clock.now().date()
    world.fee = PlatformFee(10)
    await world.image(ann, ink)
    await world.image(ann, oil)
    world.clock.advance()
    await world.image(ann, ink)
    world.clock.advance(DAY)
    await world.generation(ann, oil)
    await world.failed_generation(ann, oil)
    await world.image(ann, await world.style(await world.artist("zoe")))

    by_day = await world.read.tokens.earnings(mia.id, first=first, last=first + 2 * DAY, group=EarningsGroup.DAY)
    by_style = await world.read.tokens.earnings(mia.id, first=first, last=first + 2 * DAY, group=EarningsGroup.STYLE)

    assert by_day == Earnings(
        first=first,
        last=first + 2 * DAY,
        images=3,
        tokens=126,
        fee_tokens=12,
        results=[EarningsLine(first, None, 2, 108, 11), EarningsLine(first + DAY, None, 1, 18, 1)],
    )
    assert by_style == Earnings(
        first=first,
        last=first + 2 * DAY,
        images=3,
        tokens=126,
        fee_tokens=12,
        results=[
            EarningsLine(None, RelatedStyle(oil.id, "Oil"), 1, 90, 10),
            EarningsLine(None, RelatedStyle(ink.id, "Ink"), 2, 36, 2),
        ],
    )


@pytest.mark.parametrize("group", EarningsGroup)
async def test_a_period_includes_both_its_ends(
    world: World, mia: User, ink: Style, ann: User, group: EarningsGroup
) -> None:
    world.clock.advance(datetime(2027, 1, 1, tzinfo=UTC) - timedelta(microseconds=1) - world.clock.now())
    for step in (timedelta(microseconds=1), DAY - timedelta(microseconds=1), timedelta(microseconds=1)):
        await world.image(ann, ink)
        world.clock.advance(step)
    await world.image(ann, ink)
    day = datetime(2027, 1, 1, tzinfo=UTC).date()

    earnings = await world.read.tokens.earnings(mia.id, first=day, last=day, group=group)

    assert (earnings.images, earnings.tokens) == (2, 38)
    assert len(earnings.results) == 1


async def test_a_period_may_use_the_first_and_last_date(world: World, mia: User, ink: Style, ann: User) -> None:
    await world.image(ann, ink)
    today = world.clock.now().date()
    for first, last in ((date.min, today), (today, date.max)):
        assert (await world.read.tokens.earnings(mia.id, first=first, last=last, group=EarningsGroup.DAY)).images == 1
    for day in (date.min, date.max):
        assert (await world.read.tokens.earnings(mia.id, first=day, last=day, group=EarningsGroup.STYLE)).images == 0


@pytest.mark.parametrize(
    ("zone", "moments", "days"),
    [
        ("UTC", ("2027-01-01T14:59:59", "2027-01-01T15:00:00"), ("2027-01-01", "2027-01-01")),
        ("Asia/Seoul", ("2027-01-01T14:59:59", "2027-01-01T15:00:00"), ("2027-01-01", "2027-01-02")),
        # clocks go forward: this day begins at 23:00 UTC and has 23 hours
        ("Europe/Berlin", ("2027-03-27T22:59:59", "2027-03-27T23:00:00"), ("2027-03-27", "2027-03-28")),
        ("Europe/Berlin", ("2027-03-28T21:59:59", "2027-03-28T22:00:00"), ("2027-03-28", "2027-03-29")),
        # clocks go back: this day has 25 hours
        ("Europe/Berlin", ("2027-10-30T21:59:59", "2027-10-30T22:00:00"), ("2027-10-30", "2027-10-31")),
        ("Europe/Berlin", ("2027-10-31T22:59:59", "2027-10-31T23:00:00"), ("2027-10-31", "2027-11-01")),
        # clocks go back from 1 to 0 o'clock: midnight comes twice in one day
        ("America/Havana", ("2026-11-01T03:59:59", "2026-11-01T04:00:00"), ("2026-10-31", "2026-11-01")),
        # clocks go forward at midnight: no clock shows it
        ("America/Havana", ("2027-03-14T04:59:59", "2027-03-14T05:00:00"), ("2027-03-13", "2027-03-14")),
    ],
)
async def test_days_follow_the_time_zone(
    world: World, mia: User, ink: Style, ann: User, zone: str, moments: tuple[str, str], days: tuple[str, str]
) -> None:
    for moment in moments:
        world.clock.advance(datetime.fromisoformat(moment).replace(tzinfo=UTC) - world.clock.now())
        await world.image(ann, ink)
    first, last = (date.fromisoformat(day) for day in days)

    async def images(first: date, last: date, group: EarningsGroup) -> list[tuple[date | None, int]]:
        read = world.read.tokens.earnings
        earnings = await read(mia.id, first=first, last=last, group=group, zone=zone)
        return [(line.day, line.images) for line in earnings.results]

    by_day = [(first, 2)] if first == last else [(first, 1), (last, 1)]
    assert await images(first, last, EarningsGroup.DAY) == by_day
    assert await images(first, last, EarningsGroup.STYLE) == [(None, 2)]
    for day, count in by_day:
        assert await images(day, day, EarningsGroup.DAY) == [(day, count)]
        assert await images(day, day, EarningsGroup.STYLE) == [(None, count)]
    assert await images(first - DAY, first - DAY, EarningsGroup.DAY) == []
    assert await images(last + DAY, last + DAY, EarningsGroup.DAY) == []


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/Los_Angeles"])
async def test_the_first_and_last_date_work_in_every_time_zone(
    world: World, mia: User, ink: Style, ann: User, zone: str
) -> None:
    await world.image(ann, ink)
    for group in EarningsGroup:
        read = world.read.tokens.earnings
        assert (await read(mia.id, first=date.min, last=date.max, group=group, zone=zone)).images == 1


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "Asia", "../UTC"])
async def test_an_unknown_time_zone_is_refused(world: World, mia: User, ink: Style, ann: User, zone: str) -> None:
    await world.image(ann, ink)
    day = world.clock.now().date()

    for group in EarningsGroup:
        with pytest.raises(ValidationError) as refused:
            await world.read.tokens.earnings(mia.id, first=day, last=day, group=group, zone=zone)
        assert set(refused.value.details or {}) == {"tz"}


@pytest.mark.parametrize("group", EarningsGroup)
async def test_an_artist_without_earnings_has_empty_results(world: World, mia: User, group: EarningsGroup) -> None:
    day = world.clock.now().date()
    nothing = Earnings(first=day, last=day, images=0, tokens=0, fee_tokens=0, results=[])

    assert await world.read.tokens.earnings(mia.id, first=day, last=day, group=group) == nothing
    assert await world.read.tokens.earnings(UserId(4711), first=day, last=day, group=group) == nothing


async def test_withdrawn_earnings_still_count_as_earned(world: World, mia: User, ink: Style) -> None:
    await world.earn(mia, 19, ink)
    await world.use_case(RequestWithdrawal)(mia.id, 19)
    day = world.clock.now().date()

    assert (await world.read.tokens.earnings(mia.id, first=day, last=day, group=EarningsGroup.DAY)).tokens == 19
