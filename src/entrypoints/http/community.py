from dishka.integrations.litestar import FromDishka
from litestar import Controller, delete, get, post
from litestar.di import NamedDependency

from core.accounts.errors import UserNotFound
from core.accounts.model import Requester
from core.community.errors import DuplicateFollow, DuplicateLike, SelfFollowNotAllowed
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.unfollow_user import UnfollowUser
from core.community.unlike_generation import UnlikeGeneration
from core.community.views import CommunityReader, Followed, FollowedUser, Liked
from core.generations.errors import GenerationNotFound
from core.identifiers import GenerationId, UserId
from entrypoints.http.access import signed_in
from entrypoints.http.envelope import Success
from entrypoints.http.paging import Paging, Results
from entrypoints.http.params import PathId


class CommunityController(Controller):
    path = "/api"
    tags = ("Community",)

    @post(
        "/users/{user_id:int}/follow",
        guards=[signed_in],
        opt={"refusals": (UserNotFound, SelfFollowNotAllowed, DuplicateFollow)},
        status_code=200,
        summary="Follow a user",
    )
    async def follow(
        self, user_id: PathId[UserId], requester: NamedDependency[Requester], follow_user: FromDishka[FollowUser]
    ) -> Success[Followed]:
        return Success(data=await follow_user(requester.id, user_id))

    @delete(
        "/users/{user_id:int}/follow",
        guards=[signed_in],
        opt={"refusals": (UserNotFound,)},
        summary="Follow a user no longer",
    )
    async def unfollow(
        self, user_id: PathId[UserId], requester: NamedDependency[Requester], unfollow_user: FromDishka[UnfollowUser]
    ) -> None:
        await unfollow_user(requester.id, user_id)

    @get("/users/me/following", guards=[signed_in], summary="Whom I follow")
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
        guards=[signed_in],
        opt={"refusals": (GenerationNotFound, DuplicateLike)},
        status_code=200,
        summary="Like an image",
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
        guards=[signed_in],
        opt={"refusals": (GenerationNotFound,)},
        summary="Like an image no longer",
    )
    async def unlike(
        self,
        generation_id: PathId[GenerationId],
        requester: NamedDependency[Requester],
        unlike_generation: FromDishka[UnlikeGeneration],
    ) -> None:
        await unlike_generation(requester.id, generation_id)
