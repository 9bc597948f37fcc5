"""No payment provider: tokens are not sold."""

from dishka import Provider, Scope

from adapters.no_payments.payment_provider import NoPayments
from core.ports.payment_provider import PaymentProvider


def no_payments() -> Provider:
    provider = Provider(scope=Scope.APP)
    provider.provide(NoPayments, provides=PaymentProvider)
    return provider
