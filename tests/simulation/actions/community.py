from functools import partial

from core.community.delete_comment import DeleteComment
from core.community.edit_comment import EditComment
from core.community.errors import (
    CommentNotFound,
    DuplicateFollow,
    DuplicateLike,
    ReplyDepthExceeded,
    SelfFollowNotAllowed,
)
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.post_comment import NewComment, PostComment
from core.community.unfollow_user import UnfollowUser
from core.community.unlike_generation import UnlikeGeneration
from core.errors import Forbidden
from core.generations.errors import GenerationNotFound
from core.generations.views import FeedQuery
from core.identifiers import CommentId, GenerationId, UserId
from core.paging import PageRequest
from core.requester import Requester
from tests.simulation.actions.base import Action, Actions

IN_SIGHT = 2
"""Images, few enough that users act on the same ones."""

FRIENDS = 2


class Community(Actions):
    """Follow users, like images and comment on them."""

    def available_to(self, requester: Requester) -> dict[Action, float]:
        actions: dict[Action, float] = {
            self._follow: 1,
            self._unfollow: 1,
            self._like: 5,
            self._unlike: 8,
            self._comment: 2,
        }
        if self.stage.comments:
            actions |= {self._reply: 2, self._edit_comment: 1, self._delete_comment: 1}
        return actions

    async def _follow(self, requester: Requester) -> None:
        refusals = (DuplicateFollow, SelfFollowNotAllowed)
        await self.stage.call(FollowUser, requester.id, self.random.choice(self.stage.users), refusals=refusals)

    async def _unfollow(self, requester: Requester) -> None:
        await self.stage.call(UnfollowUser, requester.id, self.random.choice(self.stage.users))

    async def _like(self, requester: Requester) -> None:
        """Other users act on it at once."""
        if image := await self._image():
            for friend in self.random.choices(self.stage.users, k=FRIENDS):
                self.stage.begin("friend", partial(self._add_like, friend, image))
            await self._add_like(requester.id, image)

    async def _add_like(self, user_id: UserId, image: GenerationId) -> None:
        await self.stage.call(LikeGeneration, user_id, image, refusals=(GenerationNotFound, DuplicateLike))

    async def _unlike(self, requester: Requester) -> None:
        if image := await self._image():
            await self.stage.call(UnlikeGeneration, requester.id, image, refusals=(GenerationNotFound,))

    async def _comment(self, requester: Requester) -> None:
        if image := await self._image():
            await self._post(requester, image, NewComment("How nice."))

    async def _reply(self, requester: Requester) -> None:
        comment_id, image = self.recent(self.stage.comments)
        if self.makes_mistake():
            image = await self._image() or image
        await self._post(requester, image, NewComment("Is it?", comment_id))

    async def _post(self, requester: Requester, image: GenerationId, new: NewComment) -> None:
        refusals = (GenerationNotFound, CommentNotFound, ReplyDepthExceeded)
        comment_id = await self.stage.call(PostComment, requester.id, image, new, refusals=refusals)
        if comment_id:
            self.stage.comments.append((comment_id, image))
            self.person.comments.append(comment_id)

    async def _image(self) -> GenerationId | None:
        """An image that was public recently."""
        page = await self.stage.world.read.generations.feed(FeedQuery(), viewer=None, page=PageRequest(IN_SIGHT))
        await self.stage.pause(self.random.random())
        return self.random.choice(page.rows).id if page.rows else None

    async def _edit_comment(self, requester: Requester) -> None:
        refusals = (CommentNotFound, Forbidden)
        await self.stage.call(EditComment, requester.id, self._mine(), "It is.", refusals=refusals)

    async def _delete_comment(self, requester: Requester) -> None:
        await self.stage.call(DeleteComment, requester, self._mine(), refusals=(CommentNotFound, Forbidden))

    def _mine(self) -> CommentId:
        if self.makes_mistake() or not self.person.comments:
            return self.random.choice(self.stage.comments)[0]
        return self.recent(self.person.comments)
