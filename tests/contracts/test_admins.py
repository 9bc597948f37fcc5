import msgspec
import pytest

from core.accounts.errors import NotOneUser
from core.accounts.make_admin import MakeAdmin
from core.audit.model import Operator
from core.requester import Role
from tests.support.world import World


async def test_the_user_with_the_address_becomes_an_admin(world: World) -> None:
    mia = await world.artist("mia")

    made = await world.use_case(MakeAdmin)(Operator(None), "mia@example.com")

    assert (made.id, made.role, made.updated_at) == (mia.id, Role.ADMIN, world.clock.now())
    again = await world.use_case(MakeAdmin)(Operator(None), "mia@example.com")
    assert again == made


async def test_it_has_to_be_clear_who_is_meant(world: World) -> None:
    with pytest.raises(NotOneUser) as refused:
        await world.use_case(MakeAdmin)(Operator(None), "nobody@example.com")
    assert refused.value.details == {"email": "nobody@example.com", "found": 0}


async def test_an_address_of_two_users_is_refused(world: World) -> None:
    ann = await world.user("ann")
    twin = msgspec.structs.replace(ann, id=await world.ids.user(), subject="another", username="twin")
    async with world.block() as ports:
        await ports.users.add(twin)

    with pytest.raises(NotOneUser) as refused:
        await world.use_case(MakeAdmin)(Operator(None), "ann@example.com")
    assert refused.value.details == {"email": "ann@example.com", "found": 2}
    assert (await world.read.accounts.me(ann.id)).role == "user"
