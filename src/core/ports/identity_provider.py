from typing import Protocol

import msgspec

from core.errors import Category, DomainError


class Identity(msgspec.Struct, frozen=True):
    """Who the provider says signed in. `(provider, subject)` identifies; an e-mail alone never does."""

    provider: str
    subject: str
    email: str | None
    """Only one that the provider has verified."""
    name: str | None
    picture: str | None


class SignInFailed(DomainError):
    """The provider did not vouch for anybody: refused, forged, expired, or out of reach. `reason` is fit for a URL."""

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
        """Where to send the browser. Raises SignInFailed("provider_unavailable")."""
        ...

    async def identify(self, *, code: str, redirect_uri: str, nonce: str, code_verifier: str) -> Identity:
        """Redeem the code; verify the ID token's signature, issuer, audience, expiry and nonce.

        Raises SignInFailed with reason `invalid_code`, `invalid_token` or `provider_unavailable`.
        """
        ...
