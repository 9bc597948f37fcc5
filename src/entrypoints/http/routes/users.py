from collections.abc import AsyncIterator

import msgspec
from dishka import FromDishka
from litestar import Controller, MediaType, Response
from litestar.di import NamedDependency
from litestar.response import Stream

from core.account_deletion.delete_account import DeleteAccount
from core.account_deletion.export_account import ExportAccount
from core.account_deletion.views import CommentRecord, FollowerRecord, IdentityRecord, LikeRecord, SessionRecord
from core.accounts.edit_profile import EditProfile, ProfileChanges
from core.accounts.errors import (
    AlreadyArtist,
    ArtistNameTaken,
    ArtistOnly,
    EmailNotVerified,
    InvalidPicture,
    UsernameTaken,
    UserNotFound,
)
from core.accounts.upgrade_to_artist import UpgradeToArtist
from core.accounts.views import AccountsReader, Me, MeArtist, OwnProfile, Profile
from core.community.views import FollowedUser
from core.errors import ValidationError
from core.generations.views import GenerationView
from core.identifiers import UserId
from core.notifications.views import NotificationItem
from core.purchases.views import PurchaseView
from core.requester import Requester
from core.styles.views import OwnStyleDetail
from core.tokens.views import TransactionLine
from core.withdrawals.errors import WithdrawalPending
from core.withdrawals.views import WithdrawalView
from entrypoints.http.envelope import Success
from entrypoints.http.errors import AnyRequest
from entrypoints.http.forms import FormBody
from entrypoints.http.operation import RouteLimit, delete, get, patch, post
from entrypoints.http.params import PathId
from entrypoints.http.problems import REQUIRED
from entrypoints.http.security.access import session_optional, signed_in
from entrypoints.http.state import state_of

MAX_PICTURE_BODY = 4 * 1024 * 1024
"""Bytes: an image of 2 MB as a data URL, and some text."""
MAX_PROFILE_BODY = 7 * 1024 * 1024
"""Bytes: a profile image and a signature, each of 2 MB, as data URLs, and some text."""


class ArtistApplication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    artist_name: str
    verified_email: str


class Upgraded(msgspec.Struct, frozen=True):
    user: Me
    artist: MeArtist | None


PROFILE = FormBody(ProfileChanges, files=("profile_image", "signature_image"), json=True)
APPLICATION = FormBody(ArtistApplication, files=("signature_image",), json=True)


class Export(msgspec.Struct, frozen=True):
    profile: Me
    identity: IdentityRecord
    sessions: list[SessionRecord]
    styles: list[OwnStyleDetail]
    generations: list[GenerationView]
    likes: list[LikeRecord]
    comments: list[CommentRecord]
    following: list[FollowedUser]
    followers: list[FollowerRecord]
    notifications: list[NotificationItem]
    transactions: list[TransactionLine]
    purchases: list[PurchaseView]
    withdrawals: list[WithdrawalView]


class UsersController(Controller):
    path = "/api/users"
    tags = ("Users",)

    @get("/{user_id:int}", guard=session_optional, refusals=(UserNotFound,), summary="Get a user's profile")
    async def profile(
        self, user_id: PathId[UserId], viewer: NamedDependency[Requester | None], accounts: FromDishka[AccountsReader]
    ) -> Success[Profile]:
        return Success(data=await accounts.profile(user_id, viewer=viewer.id if viewer else None))

    @patch(
        "/me",
        guard=signed_in,
        limit=RouteLimit.UPLOAD,
        refusals=(UsernameTaken, ArtistNameTaken, ArtistOnly, InvalidPicture),
        summary="Update my profile",
        description="An artist can change their artist name and signature as well.",
        max_body=MAX_PROFILE_BODY,
        form=PROFILE,
    )
    async def edit(
        self,
        request: AnyRequest,
        requester: NamedDependency[Requester],
        edit_profile: FromDishka[EditProfile],
        accounts: FromDishka[AccountsReader],
    ) -> Success[OwnProfile]:
        async with PROFILE.read(request) as (changes, files):
            pictures, signatures = files.get("profile_image", []), files.get("signature_image", [])
            await edit_profile(
                requester.id,
                changes,
                pictures[0].content if pictures else None,
                signatures[0].content if signatures else None,
            )
        return Success(data=await accounts.own_profile(requester.id))

    @get(
        "/me/export",
        guard=signed_in,
        limit=RouteLimit.EXPORT,
        summary="Export my data",
        media_type=MediaType.JSON,
        answers=(Success[Export],),
    )
    async def export(self, requester: NamedDependency[Requester], export_account: FromDishka[ExportAccount]) -> Stream:
        sections = await export_account(requester)
        headers = {
            "Content-Disposition": 'attachment; filename="style-license-export.json"',
            "Cache-Control": "no-store",
        }
        return Stream(_written(sections), media_type=MediaType.JSON, headers=headers)

    @delete(
        "/me",
        guard=signed_in,
        refusals=(WithdrawalPending,),
        summary="Delete my account",
        description="All personal data is erased. An artist whose styles others have used is kept as a name instead,"
        " and cannot sign in again. Remaining tokens are lost.",
    )
    async def delete_account(
        self, request: AnyRequest, requester: NamedDependency[Requester], use_case: FromDishka[DeleteAccount]
    ) -> Response[None]:
        await use_case(requester.id)
        return Response(None, cookies=state_of(request.app).cookies.signed_out())

    @post(
        "/me/upgrade-to-artist",
        guard=signed_in,
        limit=RouteLimit.UPLOAD,
        refusals=(AlreadyArtist, ArtistNameTaken, EmailNotVerified, InvalidPicture),
        summary="Upgrade to artist",
        max_body=MAX_PICTURE_BODY,
        form=APPLICATION,
    )
    async def upgrade(
        self,
        request: AnyRequest,
        requester: NamedDependency[Requester],
        upgrade_to_artist: FromDishka[UpgradeToArtist],
        accounts: FromDishka[AccountsReader],
    ) -> Response[Success[Upgraded]]:
        async with APPLICATION.read(request) as (application, files):
            signatures = files.get("signature_image", [])
            if not signatures:
                raise ValidationError(signature_image=REQUIRED)
            await upgrade_to_artist(
                requester,
                artist_name=application.artist_name,
                verified_email=application.verified_email,
                signature=signatures[0].content,
            )
        me = await accounts.me(requester.id)
        return Response(Success(data=Upgraded(me, me.artist)), headers={"Location": f"/api/users/{requester.id}"})


async def _written(sections: dict[str, msgspec.Struct | AsyncIterator[object]]) -> AsyncIterator[bytes]:
    """The response as it is read, row by row."""
    between = b'{"success":true,"data":{'
    for name, rows in sections.items():
        yield between + msgspec.json.encode(name) + b":"
        between = b","
        if isinstance(rows, msgspec.Struct):
            yield msgspec.json.encode(rows)
            continue
        yield b"["
        comma = b""
        async for row in rows:
            yield comma + msgspec.json.encode(row)
            comma = b","
        yield b"]"
    yield b"}}"
