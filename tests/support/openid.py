"""An OpenID provider that speaks the real protocol, in a thread of this process."""

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider as browsers and tests use it. Accepts any client id and secret."""

    issuer: str

    @property
    def discovery_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a client that it knows."""
        return {"GOOGLE_CLIENT_ID": "test-client", "GOOGLE_CLIENT_SECRET": "test-secret"}

    def add_user(self, subject: str, **claims: object) -> None:
        """Register a user. An unregistered subject can sign in too; its only claim is itself as `email`."""
        address = f"{self.issuer}/users/{quote(subject, safe='')}"
        httpx.put(address, json=claims, trust_env=False).raise_for_status()

    async def sign_in(self, authorization_url: str, subject: str) -> str:
        """Fill the provider's form in as this user; return the address that the browser is sent back to."""
        return await self._answer(authorization_url, {"sub": subject})

    async def refuse(self, authorization_url: str) -> str:
        """Press "Deny"; return the address that the browser is sent back to."""
        return await self._answer(authorization_url, {"action": "deny"})

    async def _answer(self, authorization_url: str, form: dict[str, str]) -> str:
        async with httpx.AsyncClient(trust_env=False) as browser:
            response = await browser.post(authorization_url, data=form)
        if not response.is_redirect:
            raise AssertionError(f"The provider answers {response.status_code} instead of a redirect: {response.text}")
        return response.headers["location"]


@contextlib.contextmanager
def running_provider() -> Iterator[Provider]:
    import authlib.deprecate  # it shows its warnings whatever the filters are

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
        import oidc_provider_mock
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # Its own server gives up with an error when a busy machine takes longer than a second to stop it.
    server = make_server("localhost", 0, oidc_provider_mock.app(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="openid")
    thread.start()
    try:
        # It insists on https for any other name of this machine.
        yield Provider(f"http://localhost:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
