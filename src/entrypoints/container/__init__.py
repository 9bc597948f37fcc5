"""The composition root: which adapter implements which port. The only importer of adapters, one file a technology.

A technology is imported only when the settings choose it, which keeps the start fast.
"""

from dishka import AsyncContainer, Provider, make_async_container

from entrypoints.settings import Settings


def create_container(settings: Settings, *overrides: Provider) -> AsyncContainer:
    """The parts of the service that the settings choose. `overrides` replace single ones."""
    from entrypoints.container.system import system
    from entrypoints.container.use_cases import use_cases

    return make_async_container(
        use_cases(),
        system(),
        _database(settings),
        _broker(settings),
        _blob_store(settings),
        _identity_provider(),
        _payment_provider(settings),
        *overrides,
        context={Settings: settings},
    )


def _database(settings: Settings) -> Provider:
    if settings.database_url:
        from entrypoints.container.postgres import postgres

        return postgres()
    from entrypoints.container.memory import memory

    return memory()


def _broker(settings: Settings) -> Provider:
    if settings.rabbitmq:
        from entrypoints.container.rabbitmq import rabbitmq

        return rabbitmq()
    from entrypoints.container.filesystem import in_process_queues

    return in_process_queues()


def _blob_store(settings: Settings) -> Provider:
    if settings.gcs_bucket_name:
        from entrypoints.container.gcs import cloud_storage

        return cloud_storage()
    from entrypoints.container.filesystem import folder

    return folder()


def _identity_provider() -> Provider:
    from entrypoints.container.google import openid

    return openid()


def _payment_provider(settings: Settings) -> Provider:
    if settings.toss:
        from entrypoints.container.toss import toss

        return toss()
    from entrypoints.container.no_payments import no_payments

    return no_payments()
