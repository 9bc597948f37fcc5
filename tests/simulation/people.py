"""Users and artists, each in two sessions at once that compete for the same tokens."""

from dataclasses import dataclass

from core.accounts.sign_in import SignIn, token_hash
from core.ports.identity_provider import SignInFailed
from tests.simulation.deeds.account_deletion import AccountDeletion
from tests.simulation.deeds.base import Deed
from tests.simulation.deeds.community import Community
from tests.simulation.deeds.images import Images
from tests.simulation.deeds.purchases import Purchases
from tests.simulation.deeds.rings import Rings
from tests.simulation.deeds.styles import Styles
from tests.simulation.deeds.withdrawals import Withdrawals
from tests.simulation.person import Person
from tests.simulation.stage import Stage

DEEDS = (Images, Purchases, Styles, Withdrawals, Community, AccountDeletion)
IMPATIENT = 0.2
THOUGHT = 4.0
"""Seconds between two actions, on average."""


@dataclass(frozen=True, slots=True)
class Screen:
    """One of a user's sessions."""

    stage: Stage
    person: Person

    async def live(self) -> None:
        stage = self.stage
        while not stage.closing:
            await self._do_something()
            await stage.pause(stage.random.expovariate(1 / THOUGHT))

    async def _do_something(self) -> None:
        signed_in = self.person.signed_in
        if signed_in is None:
            await sign_in(self.stage, self.person)
            return
        now = self.stage.world.clock.now()
        requester = await self.stage.world.scope().sessions.requester(token_hash(signed_in.token), at=now)
        if requester is None:
            self.person.forget()
            return
        deeds: dict[Deed, float] = {}
        for kind in (Rings,) if self.person.ring else DEEDS:
            deeds |= kind(self.stage, self.person).open_to(requester)
        if deeds:
            [deed] = self.stage.random.choices(list(deeds), list(deeds.values()))
            await deed(requester)


async def sign_in(stage: Stage, person: Person) -> None:
    """After a deletion the user signs up again once everything is erased, or earlier under another name."""
    signed_in = await stage.call(SignIn, person.identity, user_agent="a screen", refusals=(SignInFailed,))
    if signed_in:
        person.signed_in = signed_in
        if signed_in.user_id not in stage.users:
            stage.users.append(signed_in.user_id)
    elif not person.welcomed and stage.random.random() < IMPATIENT:
        person.become_another()
