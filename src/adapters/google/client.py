import ssl
from contextlib import AbstractAsyncContextManager

import httpx
from httpx_oauth.clients.openid import OpenID
from httpx_oauth.exceptions import HTTPXOAuthError
from joserfc.jwk import KeySet

from core.ports.identity_provider import SignInFailed

SCOPES = ["openid", "email", "profile"]


class OpenIDClient(OpenID):
    """httpx-oauth's OpenID client, extended by the provider's public keys."""

    def __init__(self, client_id: str, client_secret: str, discovery_url: str) -> None:
        """Blocks while fetching the discovery document: to be built in a thread. Raises on any malformed document."""
        super().__init__(client_id, client_secret, discovery_url, base_scopes=SCOPES)
        self.issuer = str(self.openid_configuration["issuer"])
        self.algorithms = set(self.openid_configuration["id_token_signing_alg_values_supported"])
        self._keys_url = str(self.openid_configuration["jwks_uri"])
        self._keys: KeySet | None = None
        # Shared: each new context reads all certificate authorities, a tenth of a second on the event loop.
        self._tls: ssl.SSLContext = httpx.create_ssl_context()

    def get_httpx_client(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        return httpx.AsyncClient(verify=self._tls)

    async def redeem(self, code: str, redirect_uri: str, code_verifier: str) -> object:
        """The ID token, unverified. Raises SignInFailed."""
        try:
            return (await self.get_access_token(code, redirect_uri, code_verifier)).get("id_token")
        except HTTPXOAuthError as error:
            response: httpx.Response | None = getattr(error, "response", None)
            raise SignInFailed("invalid_code" if _refuses_code(response) else "provider_unavailable") from error
        except (httpx.InvalidURL, TypeError, ValueError) as error:  # a malformed answer
            raise SignInFailed("provider_unavailable") from error

    async def keys(self, *, fresh: bool = False) -> KeySet:
        """The provider's public keys (RFC 7517), cached or fetched again. Raises SignInFailed."""
        if self._keys is None or fresh:
            try:
                async with self.get_httpx_client() as http:
                    response = await http.get(self._keys_url)
                self._keys = KeySet.import_key_set(response.raise_for_status().json())
            except Exception as error:  # joserfc raises errors of many kinds for a malformed key set
                raise SignInFailed("provider_unavailable") from error
        return self._keys


def _refuses_code(response: httpx.Response | None) -> bool:
    """RFC 6749, section 5.2: any other error is about this service's configuration, not about the code."""
    if response is None or response.status_code != httpx.codes.BAD_REQUEST:
        return False
    try:
        return response.json()["error"] in {"invalid_grant", "invalid_request"}
    except (KeyError, TypeError, ValueError):
        return False
