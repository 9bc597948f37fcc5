from typing import Any

import httpx

from core.ports.identity_provider import SignInFailed


class Jwks:
    """The provider's public keys (RFC 7517), fetched when they are first needed and when they have changed."""

    def __init__(self, url: str, *, patience: float) -> None:
        self._url = url
        self._patience = patience
        self._kept: Any = None

    async def keys(self, *, fresh: bool = False) -> Any:
        """The key set as it was published. Raises SignInFailed("provider_unavailable")."""
        if self._kept is None or fresh:
            try:
                async with httpx.AsyncClient(timeout=self._patience) as client:
                    response = await client.get(self._url)
                    self._kept = response.raise_for_status().json()
            except (httpx.HTTPError, ValueError) as error:
                raise SignInFailed("provider_unavailable") from error
        return self._kept
