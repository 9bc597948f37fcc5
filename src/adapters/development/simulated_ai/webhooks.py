import logging
from typing import Literal

import httpx

from core.secret import Secret

TIMEOUT = 10.0
"""Seconds per call."""

Server = Literal["training-server", "inference-server"]

_log = logging.getLogger(__name__)


class Webhooks:
    """Reports progress and results as the real servers do; failed calls are not retried."""

    def __init__(self, client: httpx.AsyncClient, *, server: Server, token: Secret, complete_url: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token.reveal()}", "X-Request-Source": server}
        self._base = complete_url.removesuffix("/complete")

    async def progress(self, **body: object) -> None:
        await self._call("PATCH", "progress", body)

    async def complete(self, **body: object) -> None:
        await self._call("POST", "complete", body)

    async def failed(self, **body: object) -> None:
        await self._call("POST", "failed", body)

    async def _call(self, method: str, event: str, body: dict[str, object]) -> None:
        url = f"{self._base}/{event}"
        try:
            answer = await self._client.request(method, url, json=body, headers=self._headers, timeout=TIMEOUT)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            _log.warning("webhook call failed method=%s url=%s error=%r", method, url, error)
