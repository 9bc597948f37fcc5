"""The actors of a history, and its end."""

from core.purchases.model import TIME_TO_PAY, TIME_TO_SETTLE
from tests.simulation.admin import Admin
from tests.simulation.machines import InferenceServer, Machine, MaintenancePasses, Relay, TrainingServer
from tests.simulation.person import new_person, people, ring
from tests.simulation.replayer import Replayer
from tests.simulation.stage import TIMEOUT, Stage
from tests.simulation.user_sessions import UserSession
from tests.simulation.violation import Violation

USERS, ARTISTS, SESSIONS, ADMINS = 4, 2, 2, 2
RING = 2
"""Accounts of one human beside that of an artist."""
MACHINES: dict[type[Machine], int] = {Relay: 2, MaintenancePasses: 2, TrainingServer: 1, InferenceServer: 3}
MAX_ROUNDS = 3_000
"""Checks of whether everything has ended."""


def add(stage: Stage) -> None:
    """Adds all actors."""
    everybody = people(USERS, ARTISTS)
    for person in everybody:
        for session in range(SESSIONS):
            stage.enter(f"{person.identity.name}/{session}", UserSession(stage, person).run, ends=True)
    for person in ring("ring", RING):
        stage.enter(str(person.identity.name), UserSession(stage, person).run, ends=True)
    stage.enter("replayer", Replayer(stage, everybody).run, ends=True)
    for one in range(ADMINS):
        stage.enter(f"admin{one}", Admin(stage, new_person(f"admin{one}")).run, ends=False)
    for machine, number in MACHINES.items():
        for one in range(number):
            stage.enter(f"{machine.__name__}{one}", machine(stage).run, ends=False)


async def finish(stage: Stage) -> None:
    """Without further faults, wait until everything has ended. Raises Violation if it does not. The service itself
    recovers what was lost: relays, maintenance passes and time-outs.
    """
    for _ in range(MAX_ROUNDS):
        await stage.pause(1)
        if stage.busy or stage.broker.under_way:
            continue
        if not any((await stage.unfinished()).values()):
            return
        stage.world.clock.advance(max(TIME_TO_PAY + TIME_TO_SETTLE, TIMEOUT))
    raise Violation(f"there is no end: {await stage.unfinished()}")
