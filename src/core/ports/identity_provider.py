from typing import Protocol

import msgspec

from core.errors import Category, DomainError


class Identity(msgspec.Struct, frozen=True):
    """The signed-in identity. Identified by `(provider, subject)`, never by e-mail alone."""

    provider: str
    subject: str
    email: str | None
    """Only if verified by the provider."""
    name: str | None
    picture: str | None


class SignInFailed(DomainError):
    """The sign-in was refused, invalid or expired, or the provider is unavailable. `reason` can be used in a URL."""

    code = "SIGN_IN_FAILED"
    category = Category.UNAUTHENTICATED

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(details={"reason": reason}, reason=reason)


class IdentityProvider(Protocol):
    """OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636, S256) and nonce."""

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_verifier: str, login_hint: str | None = None
    ) -> str:
        """The URL to redirect the browser to. Raises SignInFailed("provider_unavailable")."""
        ...

    async def identify(self, *, code: str, redirect_uri: str, nonce: str, code_verifier: str) -> Identity:
        """Redeem the code; verify the ID token's signature, issuer, audience, expiry and nonce.

        Raises SignInFailed with reason `invalid_code`, `invalid_token` or `provider_unavailable`.
        """
        ...
