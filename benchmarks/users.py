"""Users of a measurement: buyers with tokens and artists with styles, created through the service."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import msgspec
from dishka import AsyncContainer

from core.accounts.model import Artist
from core.accounts.repository import Users
from core.accounts.sign_in import SignIn
from core.identifiers import StyleId, UserId, VersionId
from core.ports.identity_provider import Identity
from core.ports.ids import Ids
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.styles.model import License, Style
from core.styles.repository import Styles
from core.styles.version import Artwork, Rights, StyleVersion
from core.tokens.model import ISSUANCE, Transfer, TransferKind, earnings, wallet

BUYERS = 300
ARTISTS = 40
STYLES_EACH = 5
ARTWORKS_EACH = 10
PRICE = 10
TOKENS = 1_000_000
"""Tokens of each buyer, more than they can spend."""
AT_ONCE = 6

Made = TypeVar("Made")


class Browser(msgspec.Struct, frozen=True):
    """A user with a session."""

    user_id: UserId
    session: str
    csrf: str


class Population(msgspec.Struct, frozen=True):
    buyers: list[Browser]
    styles: list[StyleId]


async def settle(container: AsyncContainer, *, port: int) -> Population:
    """Put them into the database; `port` is where the service answers that they sign in to."""
    styles, signed_in = await populate(container)
    return Population(await asyncio.to_thread(_browsers, signed_in, port), styles)


async def populate(container: AsyncContainer) -> tuple[list[StyleId], list[tuple[UserId, str]]]:
    """Put them into the database; answers the styles, and the buyers with the tokens of their sessions."""
    portfolios = await _several(ARTISTS, lambda number: _artist(container, number))
    signed_in = await _several(BUYERS, lambda number: _buyer(container, number))
    return [style for portfolio in portfolios for style in portfolio], signed_in


async def _several(count: int, make: Callable[[int], Awaitable[Made]]) -> list[Made]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Made:
        async with gate:
            return await make(number)

    return await asyncio.gather(*(one(number) for number in range(count)))


async def _sign_in(container: AsyncContainer, name: str) -> tuple[UserId, str]:
    async with container() as request:
        sign_in = await request.get(SignIn)
        signed_in = await sign_in(Identity("openid", name, f"{name}@example.com", name, None), user_agent="a benchmark")
        return signed_in.user_id, signed_in.token


async def _buyer(container: AsyncContainer, number: int) -> tuple[UserId, str]:
    user_id, token = await _sign_in(container, f"buyer-{number}")
    gift = Transfer(
        reference=f"benchmark:{user_id}",
        kind=TransferKind.BONUS,
        debit=ISSUANCE,
        credit=wallet(user_id),
        amount=TOKENS,
        at=datetime.now(UTC),
    )
    async with container() as request:
        ledger = await request.get(TokenLedger)
        async with await request.get(Transaction):
            await ledger.transfer(gift)
    return user_id, token


async def _artist(container: AsyncContainer, number: int) -> list[StyleId]:
    now = datetime.now(UTC)
    user_id, _ = await _sign_in(container, f"artist-{number}")
    artist = Artist(user_id, f"Artist {number}", f"artist-{number}@example.com", f"signatures/{user_id}/s.png", now)
    async with container() as request:
        users, styles = await request.get(Users), await request.get(Styles)
        ledger, ids = await request.get(TokenLedger), await request.get(Ids)
        transaction = await request.get(Transaction)
        async with transaction:
            user = await users.of_id(user_id, lock=True)
            await users.add_artist(artist)
            await users.save(user.become_artist(artist.verified_email, at=now))
            await ledger.open(earnings(user_id))
        made = []
        for place in range(STYLES_EACH):
            style = await _style(ids, user_id, f"Style {place}", now)
            artworks = [await _artwork(ids, style.version_id, index) for index in range(ARTWORKS_EACH)]
            async with transaction:
                await styles.add(style, _version(ids, style), artworks)
            made.append(style.id)
    return made


async def _style(ids: Ids, artist_id: UserId, name: str, at: datetime) -> Style:
    style_id = await ids.style()
    return Style(
        id=style_id,
        artist_id=artist_id,
        name=name,
        description="Soft light on wet streets.",
        generation_cost_tokens=PRICE,
        license_type=License.PERSONAL,
        tags=["watercolor", "city", "rain"],
        version_id=VersionId(style_id),
        created_at=at,
        updated_at=at,
        model_path=_model(VersionId(style_id)),
    )


def _version(ids: Ids, style: Style) -> StyleVersion:
    at = style.created_at
    version = StyleVersion(style.version_id, style.id, 1, ids.task(), at, at, Rights(at, explicit=True))
    return version.complete_training(at=at, model_path=_model(version.id), metric=None)


def _model(version_id: VersionId) -> str:
    return f"gs://stylelicense-media/models/{version_id}/model.safetensors"


async def _artwork(ids: Ids, version_id: VersionId, index: int) -> Artwork:
    return Artwork(
        id=await ids.artwork(),
        version_id=version_id,
        index=index,
        key=f"training/{version_id}/image_{index}.png",
        format="png",
        width=1024,
        height=1024,
        size=1_000_000,
        digest=bytes(32),
        caption=None,
        tags=["watercolor"],
    )


def _browsers(signed_in: list[tuple[UserId, str]], port: int) -> list[Browser]:
    """Get `me`, as a frontend does, for the CSRF token."""
    browsers = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for user_id, session in signed_in:
            me = client.get("/api/auth/me", headers={"Cookie": f"sessionid={session}"}).raise_for_status()
            browsers.append(Browser(user_id, session, me.headers["X-CSRFToken"]))
            client.cookies.clear()
    return browsers
