from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from core.ports.identity_provider import Identity, IdentityProvider, SignInFailed


class _Grant(NamedTuple):
    identity: Identity
    redirect_uri: str
    nonce: str
    challenge: str


class MemoryIdentityProvider(IdentityProvider):
    """Signs in any identity, but enforces the protocol."""

    def __init__(self) -> None:
        self._grants: dict[str, _Grant] = {}
        self._codes = 0

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_verifier: str, login_hint: str | None = None
    ) -> str:
        query = {
            "redirect_uri": redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(code_verifier),
            **({"login_hint": login_hint} if login_hint else {}),
        }
        return f"https://identity.invalid/authorize?{urlencode(query)}"

    def sign_in(self, authorization_url: str, identity: Identity) -> str:
        """Returns the URL that the browser is redirected to, with `code` and `state`."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
        self._codes += 1
        code = f"code-{self._codes}"
        self._grants[code] = _Grant(identity, query["redirect_uri"], query["nonce"], query["code_challenge"])
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    async def identify(self, *, code: str, redirect_uri: str, nonce: str, code_verifier: str) -> Identity:
        grant = self._grants.get(code)
        if grant is None or (grant.redirect_uri, grant.challenge) != (redirect_uri, _challenge(code_verifier)):
            raise SignInFailed("invalid_code")
        del self._grants[code]
        if grant.nonce != nonce:
            raise SignInFailed("invalid_token")
        return grant.identity


def _challenge(code_verifier: str) -> str:
    return urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
