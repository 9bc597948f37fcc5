"""Users and artists, each in two sessions at once that compete for the same tokens."""

from dataclasses import dataclass

from core.accounts.sign_in import SignIn, token_hash
from core.ports.identity_provider import SignInFailed
from tests.simulation.actions.account_deletion import AccountDeletion
from tests.simulation.actions.base import Action
from tests.simulation.actions.community import Community
from tests.simulation.actions.images import Images
from tests.simulation.actions.purchases import Purchases
from tests.simulation.actions.rings import Rings
from tests.simulation.actions.styles import Styles
from tests.simulation.actions.withdrawals import Withdrawals
from tests.simulation.person import Person
from tests.simulation.stage import Stage

ACTIONS = (Images, Purchases, Styles, Withdrawals, Community, AccountDeletion)
IMPATIENT = 0.2
THOUGHT = 4.0
"""Seconds between two actions, on average."""


@dataclass(frozen=True, slots=True)
class UserSession:
    """One of a user's sessions."""

    stage: Stage
    person: Person

    async def run(self) -> None:
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
        actions: dict[Action, float] = {}
        for kind in (Rings,) if self.person.ring else ACTIONS:
            actions |= kind(self.stage, self.person).available_to(requester)
        if actions:
            [action] = self.stage.random.choices(list(actions), list(actions.values()))
            await action(requester)


async def sign_in(stage: Stage, person: Person) -> None:
    """After a deletion the user signs up again once everything is erased, or earlier under another name."""
    signed_in = await stage.call(SignIn, person.identity, user_agent="a browser", refusals=(SignInFailed,))
    if signed_in:
        person.signed_in = signed_in
        if signed_in.user_id not in stage.users:
            stage.users.append(signed_in.user_id)
    elif not person.welcomed and stage.random.random() < IMPATIENT:
        person.change_identity()
