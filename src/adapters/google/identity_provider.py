"""Google's sign-in, and any other that speaks OpenID Connect."""

import asyncio
import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import httpx
from httpx_oauth.clients.openid import OpenID, OpenIDConfigurationError
from httpx_oauth.oauth2 import GetAccessTokenError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from adapters.google.jwks import Jwks
from core.ports.identity_provider import Identity, IdentityProvider, SignInFailed

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the provider has: a shared secret or none at all vouches for nobody."""
LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""
PATIENCE = 10.0
"""Seconds for each exchange with the provider."""
SCOPES = ["openid", "email", "profile"]


class OpenIDIdentityProvider(IdentityProvider):
    """`name` is stored as the users' provider; the discovery document is read at the first sign-in, and kept."""

    def __init__(self, name: str, client_id: str, client_secret: str, discovery_url: str) -> None:
        self._name = name
        self._client_id = client_id
        self._client_secret = client_secret
        self._discovery_url = discovery_url
        self._discovering = asyncio.Lock()
        self._discovered: tuple[OpenID, Jwks] | None = None

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_verifier: str, login_hint: str | None = None
    ) -> str:
        client, _ = await self._discover()
        extras = {"nonce": nonce} | ({"login_hint": login_hint} if login_hint else {})
        return await client.get_authorization_url(
            redirect_uri,
            state,
            scope=SCOPES,
            code_challenge=_challenge(code_verifier),
            code_challenge_method="S256",
            extras_params=extras,
        )

    async def identify(self, *, code: str, redirect_uri: str, nonce: str, code_verifier: str) -> Identity:
        client, jwks = await self._discover()
        try:
            async with asyncio.timeout(PATIENCE):
                answer: dict[str, Any] = await client.get_access_token(code, redirect_uri, code_verifier)
        except GetAccessTokenError as error:
            refused = error.response is not None and error.response.status_code < httpx.codes.INTERNAL_SERVER_ERROR
            raise SignInFailed("invalid_code" if refused else "provider_unavailable") from error
        except TimeoutError as error:
            raise SignInFailed("provider_unavailable") from error
        claims = await self._verified(answer.get("id_token"), client, jwks)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise SignInFailed("invalid_token")
        return self._identity(claims)

    async def _verified(self, id_token: object, client: OpenID, jwks: Jwks) -> dict[str, Any]:
        """The token's claims. OpenID Connect Core 1.0, section 3.1.3.7."""
        expected = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": client.openid_configuration["issuer"]},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True, "allow_blank": False},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            token = await self._decoded(str(id_token), jwks)
            expected.validate(token.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise SignInFailed("invalid_token") from error
        if token.claims.get("azp", self._client_id) != self._client_id:
            raise SignInFailed("invalid_token")
        return token.claims

    async def _decoded(self, id_token: str, jwks: Jwks) -> jwt.Token:
        """Tried again with fresh keys: a provider changes them now and then."""
        try:
            return jwt.decode(id_token, KeySet.import_key_set(await jwks.keys()), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            return jwt.decode(id_token, KeySet.import_key_set(await jwks.keys(fresh=True)), algorithms=ALGORITHMS)

    def _identity(self, claims: dict[str, Any]) -> Identity:
        verified = claims.get("email_verified") is True
        return Identity(
            provider=self._name,
            subject=str(claims["sub"]),
            email=_text(claims.get("email")) if verified else None,
            name=_text(claims.get("name")),
            picture=_https(claims.get("picture")),
        )

    async def _discover(self) -> tuple[OpenID, Jwks]:
        async with self._discovering:
            if self._discovered is None:
                try:
                    async with asyncio.timeout(PATIENCE):
                        client = await asyncio.to_thread(
                            OpenID, self._client_id, self._client_secret, self._discovery_url, self._name, SCOPES
                        )
                    jwks = Jwks(client.openid_configuration["jwks_uri"], patience=PATIENCE)
                except (OpenIDConfigurationError, TimeoutError, KeyError, IndexError, json.JSONDecodeError) as error:
                    raise SignInFailed("provider_unavailable") from error
                self._discovered = client, jwks
            return self._discovered


def _challenge(code_verifier: str) -> str:
    """RFC 7636, section 4.2."""
    return urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) and claim else None


def _https(claim: object) -> str | None:
    url = _text(claim)
    return url if url and url.startswith("https://") else None
