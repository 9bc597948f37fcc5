"""The actors of a history, and its end."""

from core.purchases.model import TIME_TO_PAY, TIME_TO_SETTLE
from tests.simulation.broken import Broken
from tests.simulation.clerk import Clerk
from tests.simulation.machines import InferenceServer, Machine, MaintenancePasses, Relay, TrainingServer
from tests.simulation.people import Screen
from tests.simulation.person import people, ring, stranger
from tests.simulation.replayer import Replayer
from tests.simulation.stage import TIMEOUT, Stage

USERS, ARTISTS, SCREENS, CLERKS = 4, 2, 2, 2
RING = 2
"""Accounts of one human beside that of an artist."""
MACHINES: dict[type[Machine], int] = {Relay: 2, MaintenancePasses: 2, TrainingServer: 1, InferenceServer: 3}
MAX_ROUNDS = 3_000
"""Checks of whether everything has ended."""


def enter(stage: Stage) -> None:
    """Adds all actors."""
    everybody = people(USERS, ARTISTS)
    for person in everybody:
        for screen in range(SCREENS):
            stage.enter(f"{person.identity.name}/{screen}", Screen(stage, person).live, ends=True)
    for person in ring("ring", RING):
        stage.enter(str(person.identity.name), Screen(stage, person).live, ends=True)
    stage.enter("replayer", Replayer(stage, everybody).live, ends=True)
    for one in range(CLERKS):
        stage.enter(f"clerk{one}", Clerk(stage, stranger(f"clerk{one}")).live, ends=False)
    for machine, number in MACHINES.items():
        for one in range(number):
            stage.enter(f"{machine.__name__}{one}", machine(stage).live, ends=False)


async def close(stage: Stage) -> None:
    """Without further faults, wait until everything has ended. Raises Broken if it does not. The service itself
    recovers what was lost: relays, maintenance passes and time-outs.
    """
    for _ in range(MAX_ROUNDS):
        await stage.pause(1)
        if stage.busy or stage.broker.under_way:
            continue
        if not any((await stage.unfinished()).values()):
            return
        stage.world.clock.advance(max(TIME_TO_PAY + TIME_TO_SETTLE, TIMEOUT))
    raise Broken(f"there is no end: {await stage.unfinished()}")
