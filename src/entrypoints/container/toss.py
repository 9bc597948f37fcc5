"""The payment provider: Toss Payments."""

from collections.abc import AsyncIterator

from dishka import Provider, Scope

from adapters.toss.payment_provider import TossPayments
from core.ports.payment_provider import PaymentProvider
from entrypoints.settings import Settings


def toss() -> Provider:
    async def payments(settings: Settings) -> AsyncIterator[PaymentProvider]:
        if settings.toss is None:
            raise ValueError("no Toss Payments in the settings")
        opened = TossPayments(
            settings.toss.secret_key,
            return_url=f"{settings.api_base_url}/api/payments/toss",
            api_base=settings.toss.api_base,
        )
        yield opened
        await opened.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(payments)
    return provider
