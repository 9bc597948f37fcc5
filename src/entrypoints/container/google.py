"""The identity provider: any that speaks OpenID Connect."""

from dishka import Provider, Scope

from adapters.google.identity_provider import OpenIDIdentityProvider
from core.ports.identity_provider import IdentityProvider
from entrypoints.settings import Settings


def openid() -> Provider:
    def identity_provider(settings: Settings) -> OpenIDIdentityProvider:
        client = settings.google
        if client is None:
            raise ValueError("no OpenID client in the settings")
        return OpenIDIdentityProvider("google", client.client_id, client.client_secret, client.discovery_url)

    provider = Provider(scope=Scope.APP)
    provider.provide(identity_provider, provides=IdentityProvider)
    return provider
