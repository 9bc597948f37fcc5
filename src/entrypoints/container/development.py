"""Stand-ins and embedded parts, for development only.

Imported where they are started, which keeps the start fast.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from dishka import AsyncContainer

from adapters.task_source import TaskSource
from core.ports.blob_store import BlobStore
from entrypoints.settings import Settings

if TYPE_CHECKING:
    from adapters.development.embedded_postgres import EmbeddedPostgres
    from adapters.development.simulated_ai.servers import SimulatedAIServers
    from adapters.development.stand_in import ASGIApp


async def simulated_ai_servers(container: AsyncContainer, settings: Settings) -> "SimulatedAIServers":
    """Simulated AI servers, on the broker and the blob store that the settings choose."""
    from adapters.development.simulated_ai.pace import Pace
    from adapters.development.simulated_ai.servers import SimulatedAIServers

    return SimulatedAIServers(
        await container.get(TaskSource),
        await container.get(BlobStore),
        training_token=settings.training_tokens[0],
        inference_token=settings.inference_tokens[0],
        pace=Pace(),
    )


def with_stand_ins(app: "ASGIApp", settings: Settings, *, sign_in: str | None, payments: str | None) -> "ASGIApp":
    """The application with stand-ins for Google and Toss Payments below these paths."""
    if sign_in:
        app = _with_local_sign_in(app, settings, sign_in)
    return _with_sandbox_payments(app, settings, payments) if payments else app


def _with_local_sign_in(app: "ASGIApp", settings: Settings, path: str) -> "ASGIApp":
    from adapters.development.local_openid.app import WithLocalOpenID
    from adapters.development.local_openid.provider import LocalOpenIDProvider

    if settings.google is None or settings.production:
        raise ValueError("no client of a local provider in the settings")
    provider = LocalOpenIDProvider(
        issuer=f"{settings.api_base_url}{path}",
        client_id=settings.google.client_id,
        client_secret=settings.google.client_secret.reveal(),
        redirect_uri=f"{settings.api_base_url}/api/auth/google/callback",
    )
    return WithLocalOpenID(app, provider, path=path)


def _with_sandbox_payments(app: "ASGIApp", settings: Settings, path: str) -> "ASGIApp":
    from adapters.development.payment_sandbox.app import WithSandboxPayments
    from adapters.development.payment_sandbox.provider import SandboxPayments

    if settings.toss is None or settings.production:
        raise ValueError("no key of a sandbox in the settings")
    provider = SandboxPayments(secret_key=settings.toss.secret_key.reveal(), url=f"{settings.api_base_url}{path}")
    return WithSandboxPayments(app, provider, path=path)


def embedded_database(directory: Path) -> "EmbeddedPostgres":
    """A database server for development."""
    from adapters.development.embedded_postgres import EmbeddedPostgres

    return EmbeddedPostgres(directory)
