import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CODE_LIFETIME = 60
"""Seconds within which a code must be redeemed."""
TOKEN_LIFETIME = 3600
"""Seconds."""
_MAX_ACCOUNTS = 8
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_PAIRS = [(name, own) for name in _LOOPBACK for own in _LOOPBACK]

Parameters = dict[str, str]


class InvalidClient(Exception):
    """Unknown client or redirect URI: the browser must not be redirected."""


class ProtocolError(Exception):
    """An error response to the client; `error` is one of RFC 6749's codes."""

    def __init__(self, error: str, description: str) -> None:
        self.error = error
        self.description = description
        super().__init__(description)


@dataclass(frozen=True, slots=True)
class _Grant:
    email: str
    nonce: str
    code_challenge: str
    redirect_uri: str
    expires_at: float


class LocalOpenIDProvider:
    """OpenID Connect Core 1.0 for one client: authorization code flow with PKCE (S256 only) and nonce.

    Codes are single-use.
    """

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.client_secret = client_secret
        self.redirect_uri = redirect_uri
        self._seconds = seconds
        self.accounts: list[str] = []
        """Recently used addresses, latest first."""
        self._grants: dict[str, _Grant] = {}
        self._tokens: dict[str, tuple[str, float]] = {}

    @cached_property
    def _key(self) -> RSAKey:
        """Created on first use, because it is slow."""
        return RSAKey.generate_key(2048, {"kid": "development", "use": "sig"})

    def configuration(self) -> dict[str, object]:
        """The document of OpenID Connect Discovery 1.0."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["iss", "aud", "sub", "exp", "iat", "nonce", "email", "email_verified", "name"],
        }

    def keys(self) -> dict[str, object]:
        return dict(KeySet([self._key]).as_dict(private=False))

    def check_request(self, request: Parameters) -> None:
        """Raises InvalidClient, or ProtocolError for errors reported to the client."""
        if request.get("client_id") != self.client_id:
            raise InvalidClient("The client is not known here.")
        if not self._known(request.get("redirect_uri", "")):
            raise InvalidClient(f"The address to return to is not {self.redirect_uri}.")
        if request.get("response_type") != "code":
            raise ProtocolError("unsupported_response_type", "Only response_type=code is offered.")
        if "openid" not in request.get("scope", "").split():
            raise ProtocolError("invalid_scope", "The scope openid is missing.")
        if not request.get("code_challenge") or request.get("code_challenge_method") != "S256":
            raise ProtocolError("invalid_request", "PKCE with S256 is required.")

    def authorize(self, request: Parameters, email: str) -> str:
        """Sign in the owner of the address; returns the URL to redirect the browser to."""
        code = secrets.token_urlsafe(32)
        now = self._seconds()
        for stale in [code for code, grant in self._grants.items() if grant.expires_at < now]:
            del self._grants[stale]
        self._grants[code] = _Grant(
            email, request.get("nonce", ""), request["code_challenge"], request["redirect_uri"], now + CODE_LIFETIME
        )
        if email in self.accounts:
            self.accounts.remove(email)
        self.accounts.insert(0, email)
        del self.accounts[_MAX_ACCOUNTS:]
        return _back(request, {"code": code, "state": request.get("state", ""), "iss": self.issuer})

    def refuse(self, request: Parameters, error: ProtocolError) -> str:
        """The redirect URL that reports an error to the client."""
        answer = {"error": error.error, "error_description": error.description, "state": request.get("state", "")}
        return _back(request, answer)

    def redeem(self, request: Parameters, client: tuple[str, str] | None) -> dict[str, object]:
        """The token response; `client` are the credentials from the Authorization header. Raises ProtocolError."""
        client = client or (request.get("client_id", ""), request.get("client_secret", ""))
        if not secrets.compare_digest(":".join(client).encode(), f"{self.client_id}:{self.client_secret}".encode()):
            raise ProtocolError("invalid_client", "The client is not known, or its secret is wrong.")
        if request.get("grant_type") != "authorization_code":
            raise ProtocolError("unsupported_grant_type", "Only authorization_code is offered.")
        grant = self._grants.pop(request.get("code", ""), None)
        if grant is None or grant.expires_at < self._seconds():
            raise ProtocolError("invalid_grant", "The code is not known, was used before, or is too old.")
        if request.get("redirect_uri") != grant.redirect_uri:
            raise ProtocolError("invalid_grant", "The address to return to is another one than before.")
        if _challenge(request.get("code_verifier", "")) != grant.code_challenge:
            raise ProtocolError("invalid_grant", "The code verifier does not fit the challenge.")
        access_token = secrets.token_urlsafe(32)
        self._tokens[access_token] = grant.email, self._seconds() + TOKEN_LIFETIME
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME,
            "scope": "openid email profile",
            "id_token": self._id_token(grant),
        }

    def user_info(self, access_token: str) -> dict[str, object] | None:
        email, expires_at = self._tokens.get(access_token, ("", 0.0))
        return _claims(email) if expires_at > self._seconds() else None

    def _id_token(self, grant: _Grant) -> str:
        now = int(time.time())
        claims = _claims(grant.email) | {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + TOKEN_LIFETIME,
        }
        if grant.nonce:
            claims["nonce"] = grant.nonce
        return jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims, self._key)

    def _known(self, redirect_uri: str) -> bool:
        """Whether it is the registered URI; `localhost` and 127.0.0.1 are equivalent."""
        return any(self.redirect_uri == redirect_uri.replace(f"//{name}:", f"//{own}:", 1) for name, own in _PAIRS)


def _back(request: Parameters, answer: Parameters) -> str:
    return f"{request['redirect_uri']}?{urlencode(answer)}"


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def _claims(email: str) -> dict[str, object]:
    """The subject is derived from the address, so it is the same on every machine."""
    digest = hashlib.sha256(email.encode()).digest()
    return {
        "sub": str(int.from_bytes(digest[:8])),
        "email": email,
        "email_verified": True,
        "name": email.partition("@")[0].replace(".", " ").title(),
    }


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
