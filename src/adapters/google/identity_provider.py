"""Sign-in with Google or any other OpenID Connect provider."""

import asyncio
import hmac
import logging
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidClaimError, InvalidKeyIdError

from adapters.google.client import OpenIDClient
from core.ports.identity_provider import Identity, IdentityProvider, SignInFailed
from core.secret import Secret

ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
"""Asymmetric signatures only: a shared secret or no signature proves nothing."""
LEEWAY = 60
"""Seconds of clock difference tolerated."""
RESPONSE_TIMEOUT = 10.0
"""Seconds for the discovery document, and for identifying as a whole."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL and lone surrogates: valid in JSON, but not storable."""

logger = logging.getLogger(__name__)


class OpenIDIdentityProvider(IdentityProvider):
    """`name` is stored as the users' provider. The discovery document is read at the first sign-in and cached."""

    def __init__(self, name: str, client_id: str, client_secret: Secret, discovery_url: str) -> None:
        self._name = name
        self._client_id = client_id
        self._client_secret = client_secret
        self._discovery_url = discovery_url
        self._client: asyncio.Future[OpenIDClient] | None = None

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_verifier: str, login_hint: str | None = None
    ) -> str:
        client = await self._discovered()
        extras = {"nonce": nonce} | ({"login_hint": login_hint} if login_hint else {})
        return await client.get_authorization_url(
            redirect_uri,
            state,
            code_challenge=_challenge(code_verifier),
            code_challenge_method="S256",
            extras_params=extras,
        )

    async def identify(self, *, code: str, redirect_uri: str, nonce: str, code_verifier: str) -> Identity:
        client = await self._discovered()
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                id_token = await client.redeem(code, redirect_uri, code_verifier)
                return self._identity(await self._claims(client, id_token, nonce))
        except TimeoutError as error:
            logger.warning("identity provider timed out seconds=%s", RESPONSE_TIMEOUT)
            raise SignInFailed("provider_unavailable") from error
        except SignInFailed as failure:
            logger.warning("sign-in failed reason=%s cause=%r", failure.reason, failure.__cause__)
            raise

    async def _claims(self, client: OpenIDClient, id_token: object, nonce: str) -> dict[str, Any]:
        """The claims of the verified token."""
        try:
            token = await _decoded(client, str(id_token))
            self._check(token.claims, client.issuer, nonce)
        except SignInFailed:
            raise
        except Exception as error:  # any error means the token is invalid
            raise SignInFailed("invalid_token") from error
        return token.claims

    def _check(self, claims: dict[str, Any], issuer: str, nonce: str) -> None:
        """OpenID Connect Core 1.0, section 3.1.3.7; any error means the token is invalid."""
        expected = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True, "allow_blank": False},
            exp={"essential": True},
            iat={"essential": True},
        )
        expected.validate(claims)
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise InvalidClaimError("azp")
        if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise InvalidClaimError("nonce")

    def _identity(self, claims: dict[str, Any]) -> Identity:
        verified = claims.get("email_verified") is True
        subject, email = claims["sub"], claims.get("email")
        if not _text(subject) or (isinstance(email, str) and _UNSTORABLE.search(email)):
            raise SignInFailed("invalid_token")
        return Identity(
            provider=self._name,
            subject=subject,
            email=_text(email) if verified else None,
            name=_text(claims.get("name")),
            picture=_https(claims.get("picture")),
        )

    async def _discovered(self) -> OpenIDClient:
        """Concurrent callers share one attempt and its failure; a later call tries again."""
        discovery = self._client
        if discovery is None:
            discovery = self._client = asyncio.ensure_future(self._discover())
        try:
            return await asyncio.shield(discovery)
        except SignInFailed:
            if self._client is discovery:
                self._client = None
            raise

    async def _discover(self) -> OpenIDClient:
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                return await asyncio.to_thread(
                    OpenIDClient, self._client_id, self._client_secret.reveal(), self._discovery_url
                )
        except Exception as error:  # the library does not validate the document
            logger.warning("OpenID discovery failed url=%s error=%r", self._discovery_url, error)
            raise SignInFailed("provider_unavailable") from error


async def _decoded(client: OpenIDClient, id_token: str) -> jwt.Token:
    """Retried once with fresh keys, since providers rotate them."""
    algorithms = ALGORITHMS & client.algorithms
    try:
        return jwt.decode(id_token, await client.keys(), algorithms)
    except (InvalidKeyIdError, BadSignatureError):
        return jwt.decode(id_token, await client.keys(fresh=True), algorithms)


def _challenge(code_verifier: str) -> str:
    """RFC 7636, section 4.2."""
    return urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def _text(claim: object) -> str | None:
    """The claim if it is storable text."""
    return claim if isinstance(claim, str) and claim and not _UNSTORABLE.search(claim) else None


def _https(claim: object) -> str | None:
    url = _text(claim)
    return url if url and url.startswith("https://") else None
