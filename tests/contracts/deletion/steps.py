"""What the tests of account deletion share."""

from io import BytesIO

from core.account_deletion.delete_account import DeleteAccount
from core.accounts.errors import UserNotFound
from core.accounts.model import Session, User
from core.accounts.sign_in import token_hash
from core.community.post_comment import NewComment, PostComment
from core.generations.model import Generation
from core.identifiers import CommentId
from core.paging import PageRequest
from core.ports.blob_store import Blob
from tests.contracts.overlap import commit
from tests.support.world import World

PAGE = PageRequest(limit=100)


async def delete(world: World, user: User) -> None:
    await world.use_case(DeleteAccount)(user.id)


async def say(world: World, author: User, image: Generation, *, to: CommentId | None = None) -> CommentId:
    return await world.use_case(PostComment)(author.id, image.id, NewComment("Nice", to))


async def gone(world: World, user: User) -> bool:
    """Fully erased: no row can refer to the user, and the username is free."""
    try:
        another = await _session(world, user)
        await commit(world, lambda ports: ports.sessions.add(another))
    except UserNotFound:
        return await commit(world, lambda ports: ports.users.username_taken(user.username)) is False
    return False


async def _session(world: World, user: User) -> Session:
    return Session.start(await world.ids.session(), token_hash("another"), user.id, at=world.clock.now(), user_agent="")


async def store(world: World, *keys: str) -> None:
    await world.blobs.put(*(Blob(key, BytesIO(b"x"), "image/png") for key in keys))
