"""An OpenID provider over real HTTP whose answers each test sets."""

import functools
import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

CLIENT_ID, CLIENT_SECRET = "the-client", "the-client's-secret"
NONCE = "the-nonce"

Answer = tuple[int, object]
"""A status, and what becomes JSON unless it is bytes."""


class HostileProvider:
    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key: Key = an_rsa_key()
        self.configuration: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "HS256", "none"],
        }
        self.answers: dict[str, Callable[[], Answer]] = {
            "/.well-known/openid-configuration": lambda: (200, self.configuration),
            "/keys": lambda: (200, {"keys": [self.key.as_dict(private=False)]}),
            "/token": lambda: (200, {"access_token": "access", "token_type": "Bearer", "id_token": self.token()}),
        }
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str] = []
        self.silent: set[str] = set()
        """Paths that are not answered before the test is over."""
        self.over = threading.Event()

    @property
    def discovery_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def claims(self, changes: Mapping[str, object] = {}) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "subject-1",
            "iat": now,
            "exp": now + 300,
            "nonce": NONCE,
            "email": "ina@example.com",
            "email_verified": True,
            "name": "Ina",
            "picture": "https://example.com/ina.png",
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self, changes: Mapping[str, object] = {}, *, key: Key | None = None, alg: str = "RS256", kid: str = "key-1"
    ) -> str:
        """A valid token except for the changes; a claim that is None is left out."""
        claims = json.dumps(self.claims(changes))
        return jws.serialize_compact({"alg": alg, "kid": kid, "typ": "JWT"}, claims, key or self.key, [alg])

    def says(self, id_token: object) -> None:
        self.answers["/token"] = lambda: (200, {"access_token": "access", "token_type": "Bearer", "id_token": id_token})


@contextmanager
def hostile_provider() -> Iterator[HostileProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            if self.path in provider.silent:
                provider.over.wait(30)
            status, answer = provider.answers[self.path]()
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            provider.forms.append({name: values[0] for name, values in form.items()})
            scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
            provider.authorizations.append(b64decode(credentials).decode() if scheme == "Basic" else "")
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # the client has disconnected
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = HostileProvider(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield provider
    finally:
        provider.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@functools.cache
def an_rsa_key(kid: str = "key-1", *, number: int = 1) -> RSAKey:
    """The same for the same number: making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid})


def an_elliptic_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "key-1"})
