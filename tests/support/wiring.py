"""The wiring of the service over the ports of a world."""

from collections.abc import Callable
from functools import cache
from typing import Any

import dishka

from core.live_events import StreamTiming
from core.ports.blob_store import BlobStore
from core.ports.broker import Broker
from core.ports.clock import Clock
from core.ports.dead_letters import DeadLetters
from core.ports.images import Images
from core.ports.payment_provider import PaymentProvider
from core.ports.secrets import Secrets
from core.reports.model import ReportsToHide
from core.tokens.model import PayoutTerms, PlatformFee
from entrypoints.container.use_cases import use_cases
from entrypoints.settings import Settings
from tests.support.scope import Readers, Scope
from tests.support.world import World

FROM_WORLD = (Settings, Clock, Secrets, BlobStore, PaymentProvider, Images, Broker, DeadLetters)
"""The ports that every world provides itself, over any technology."""


@cache
def parts_over(technology: Callable[[], dishka.Provider], *given: type[Any]) -> dishka.Container:
    """The parts of all worlds over a technology: put together once, which takes longer than most tests.

    `given` is what each world gives besides the ports that are the same over every technology.
    """
    provider = dishka.Provider(scope=dishka.Scope.APP)
    for part in (World, *FROM_WORLD, *given):
        provider.from_context(part, override=part is Settings or part in given)
    provider.provide(Readers, scope=dishka.Scope.REQUEST)
    provider.provide(Scope, scope=dishka.Scope.REQUEST)
    provider.provide(_fee, scope=dishka.Scope.REQUEST, override=True)
    provider.provide(_reports_to_hide, scope=dishka.Scope.REQUEST, override=True)
    provider.provide(_payouts, scope=dishka.Scope.REQUEST, override=True)
    provider.provide(_stream_timing, scope=dishka.Scope.REQUEST, override=True)
    providers = (use_cases(), technology(), provider)
    return dishka.make_container(*providers, start_scope=dishka.Scope.RUNTIME, lock_factory=None)


def _fee(world: World) -> PlatformFee:
    return world.fee


def _reports_to_hide(world: World) -> ReportsToHide:
    return world.reports_to_hide


def _payouts(world: World) -> PayoutTerms:
    return world.payouts


def _stream_timing(world: World) -> StreamTiming:
    return world.pace
