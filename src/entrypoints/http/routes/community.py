import msgspec
from dishka import FromDishka
from litestar import Controller, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody

from core.accounts.errors import UserNotFound
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
from core.community.views import CommentView, CommunityReader, Followed, FollowedUser, Liked, ReplyView
from core.errors import Forbidden
from core.generations.errors import GenerationNotFound
from core.identifiers import CommentId, GenerationId, UserId
from core.requester import Requester
from entrypoints.http.envelope import Success
from entrypoints.http.operation import delete, get, patch, post
from entrypoints.http.paging import Paging, Results
from entrypoints.http.params import PathId
from entrypoints.http.security.access import session_optional, signed_in
from entrypoints.logs import trace_id


class CommentChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    content: str


class CommunityController(Controller):
    path = "/api"
    tags = ("Community",)

    @post(
        "/users/{user_id:int}/follow",
        guard=signed_in,
        refusals=(UserNotFound, SelfFollowNotAllowed, DuplicateFollow),
        summary="Follow a user",
        status=200,
    )
    async def follow(
        self, user_id: PathId[UserId], requester: NamedDependency[Requester], follow_user: FromDishka[FollowUser]
    ) -> Success[Followed]:
        return Success(data=await follow_user(requester.id, user_id))

    @delete("/users/{user_id:int}/follow", guard=signed_in, refusals=(UserNotFound,), summary="Unfollow a user")
    async def unfollow(
        self, user_id: PathId[UserId], requester: NamedDependency[Requester], unfollow_user: FromDishka[UnfollowUser]
    ) -> None:
        await unfollow_user(requester.id, user_id)

    @get("/users/me/following", guard=signed_in, summary="List the users that I follow")
    async def following(
        self,
        requester: NamedDependency[Requester],
        paging: NamedDependency[Paging],
        community: FromDishka[CommunityReader],
    ) -> Success[Results[FollowedUser]]:
        page = await community.following(requester.id, page=paging.request("following"))
        return Success(data=paging.results("following", page))

    @post(
        "/generations/{generation_id:int}/like",
        guard=signed_in,
        refusals=(GenerationNotFound, DuplicateLike),
        summary="Like a generation",
        status=200,
    )
    async def like(
        self,
        generation_id: PathId[GenerationId],
        requester: NamedDependency[Requester],
        like_generation: FromDishka[LikeGeneration],
    ) -> Success[Liked]:
        return Success(data=await like_generation(requester.id, generation_id))

    @delete(
        "/generations/{generation_id:int}/like",
        guard=signed_in,
        refusals=(GenerationNotFound,),
        summary="Unlike a generation",
    )
    async def unlike(
        self,
        generation_id: PathId[GenerationId],
        requester: NamedDependency[Requester],
        unlike_generation: FromDishka[UnlikeGeneration],
    ) -> None:
        await unlike_generation(requester.id, generation_id)

    @get(
        "/generations/{generation_id:int}/comments",
        guard=session_optional,
        refusals=(GenerationNotFound,),
        summary="List comments on a generation",
        description="Each with its first replies.",
    )
    async def comments(
        self,
        generation_id: PathId[GenerationId],
        viewer: NamedDependency[Requester | None],
        paging: NamedDependency[Paging],
        community: FromDishka[CommunityReader],
    ) -> Success[Results[CommentView]]:
        order = f"comments:{generation_id}"
        page = await community.comments(generation_id, viewer=viewer.id if viewer else None, page=paging.request(order))
        return Success(data=paging.results(order, page))

    @post(
        "/generations/{generation_id:int}/comments",
        guard=signed_in,
        refusals=(GenerationNotFound, CommentNotFound, ReplyDepthExceeded),
        summary="Create a comment or a reply",
    )
    async def post_comment(
        self,
        generation_id: PathId[GenerationId],
        data: JSONBody[NewComment],
        requester: NamedDependency[Requester],
        post_comment: FromDishka[PostComment],
        community: FromDishka[CommunityReader],
    ) -> Response[Success[CommentView]]:
        comment_id = await post_comment(requester.id, generation_id, data)
        comment = await community.comment(comment_id, viewer=requester.id)
        return Response(Success(data=comment), headers={"Location": f"/api/comments/{comment_id}"})

    @get(
        "/comments/{comment_id:int}",
        guard=session_optional,
        refusals=(CommentNotFound,),
        summary="Get a comment",
        description="With its first replies.",
    )
    async def comment(
        self,
        comment_id: PathId[CommentId],
        viewer: NamedDependency[Requester | None],
        community: FromDishka[CommunityReader],
    ) -> Success[CommentView]:
        return Success(data=await community.comment(comment_id, viewer=viewer.id if viewer else None))

    @get(
        "/comments/{comment_id:int}/replies",
        guard=session_optional,
        refusals=(CommentNotFound,),
        summary="List replies to a comment",
    )
    async def replies(
        self,
        comment_id: PathId[CommentId],
        viewer: NamedDependency[Requester | None],
        paging: NamedDependency[Paging],
        community: FromDishka[CommunityReader],
    ) -> Success[Results[ReplyView]]:
        order = f"replies:{comment_id}"
        page = await community.replies(comment_id, viewer=viewer.id if viewer else None, page=paging.request(order))
        return Success(data=paging.results(order, page))

    @patch(
        "/comments/{comment_id:int}",
        guard=signed_in,
        refusals=(CommentNotFound, Forbidden),
        summary="Update my comment",
    )
    async def edit_comment(
        self,
        comment_id: PathId[CommentId],
        data: JSONBody[CommentChanges],
        requester: NamedDependency[Requester],
        edit_comment: FromDishka[EditComment],
        community: FromDishka[CommunityReader],
    ) -> Success[CommentView]:
        await edit_comment(requester.id, comment_id, data.content)
        return Success(data=await community.comment(comment_id, viewer=requester.id))

    @delete(
        "/comments/{comment_id:int}",
        guard=signed_in,
        refusals=(CommentNotFound, Forbidden),
        summary="Delete a comment",
        description="Its replies are deleted with it. An admin can delete any comment.",
    )
    async def delete_comment(
        self,
        comment_id: PathId[CommentId],
        requester: NamedDependency[Requester],
        delete_comment: FromDishka[DeleteComment],
    ) -> None:
        await delete_comment(requester, comment_id, trace_id=trace_id.get())
