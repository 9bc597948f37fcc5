"""Text that the database cannot store, in every parameter of every route: refused in the same way everywhere."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from adapters.filesystem.blobs import FilesystemBlobStore
from core.accounts.make_admin import MakeAdmin
from core.audit.model import Operator
from core.errors import ValidationError
from entrypoints.http.body import MAX_DEPTH, decode
from entrypoints.http.errors import name_as_sent
from entrypoints.http.operation import Form, operation_of, routes
from entrypoints.http.problems import NESTED_TOO_DEEPLY
from entrypoints.http.security import access
from tests.entrypoints.service import API, TOKEN, Browser, Service
from tests.support.memory_world import MemoryWorld

JSON = {"Content-Type": "application/json"}
BOUNDARY = "boundary"
TOLERANT = "/api/webhooks"
"""Here what is unreadable may be mended or left out, so that a report is not lost."""


class Target(msgspec.Struct, frozen=True):
    method: str
    path: str
    """With its parameters in braces."""
    handler: HTTPRouteHandler

    def filled(self, **values: str) -> str:
        """The path with these values, and elsewhere with what any route takes."""
        path = self.path
        for name in self.names_in_path:
            path = path.replace(f"{{{name}}}", values.get(name, "1"))
        return path

    @property
    def names_in_path(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def queried(self) -> set[str]:
        """Names of the query parameters, those of dependencies included."""
        own = self.handler.parsed_fn_signature.parameters
        dependencies = [each for name, each in self.handler.resolve_dependencies().items() if name in own]
        inner = [field for each in dependencies for field in each.parsed_fn_signature.parameters.values()]
        return {
            name_as_sent(field)
            for field in (*own.values(), *inner)
            if isinstance(field.kwarg_definition, QueryParameter)
        }

    @property
    def form(self) -> Form[Any] | None:
        return operation_of(self.handler).form

    @property
    def fields(self) -> list[str]:
        """Names of a body's fields."""
        type_ = self.form.fields if self.form else self.handler.parsed_data_field.annotation  # type: ignore[union-attr]
        return [field.encode_name for field in msgspec.structs.fields(type_)]

    @property
    def takes_json(self) -> bool:
        return self.form.json if self.form else self.handler.parsed_data_field is not None


def targets(app: Litestar) -> Iterator[Target]:
    for path, handler in routes(app):
        for method in handler.http_methods:
            yield Target(str(method), path, handler)


@pytest.fixture
def service(world: MemoryWorld, tmp_path: Any) -> Service:
    """With all routes: the media's, the start page's; and without limits of calls."""
    media = FilesystemBlobStore(tmp_path, world.clock, base_url=API, secret=b"secret")
    return Service(world, media=media, rate_limits=None, frontend_url=None)


@pytest.fixture
async def somebody(service: Service, world: MemoryWorld) -> AsyncIterator[Browser]:
    """Artist and admin at once, so that no guard refuses first."""
    artist = await world.artist("mia")
    await world.use_case(MakeAdmin)(Operator(None), artist.id)
    async with service.browser(artist) as browser:
        yield browser


class Sender:
    def __init__(self, service: Service, browser: Browser) -> None:
        self.targets = list(targets(service.app))
        self._service = service
        self._browser = browser

    async def send(self, target: Target, path: str, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        guard = operation_of(target.handler).guard
        if guard is access.scheduler:
            headers["Authorization"] = f"Bearer {TOKEN}"
        for server, source in (
            (access.training_server, "training-server"),
            (access.inference_server, "inference-server"),
        ):
            if guard is server:
                headers |= self._service.ai_server(source)
        return await self._browser.call(target.method, path, headers=headers, **options)


@pytest.fixture
def sender(service: Service, somebody: Browser) -> Sender:
    return Sender(service, somebody)


def report(target: Target, given: object, response: httpx.Response) -> tuple[str, str, object, int]:
    return target.method, target.path, given, response.status_code


async def test_a_path_with_nul_is_404(sender: Sender) -> None:
    wrong, asked = [], 0
    for target in sender.targets:
        for name in target.names_in_path:
            for value in ("%00", "1%00", "%001", "a%00b"):
                response = await sender.send(target, target.filled(**{name: value}))
                asked += 1
                if response.status_code != 404:
                    wrong.append(report(target, {name: value}, response))
    assert not wrong
    assert asked > 100


async def test_unstorable_query_parameters_are_refused(sender: Sender) -> None:
    wrong, asked = [], 0
    for target in sender.targets:
        for name in sorted(target.queried):
            for value in ("%00", "a%00b", "%ED%A0%80", "%ff"):
                response = await sender.send(target, f"{target.filled()}?{name}={value}")
                asked += 1
                if response.status_code != 422 or name not in response.json()["error"]["details"]:
                    wrong.append(report(target, {name: value}, response))
    assert not wrong
    assert asked > 100


async def test_unknown_query_parameters_are_ignored(anonymous: Browser) -> None:
    assert (await anonymous.get("/api/styles?message=%B0%A1%00&self=1&request=2")).status_code == 200


def nested(depth: int, opening: bytes, closing: bytes, inside: bytes = b"1") -> bytes:
    return opening * depth + inside + closing * depth


VALUES = {
    "NUL": b'"a\\u0000b"',
    "NUL in a list": b'["a\\u0000b"]',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "half of a surrogate pair": b'"caf\\udce9"',
    "the other half": b'"\\ud83d"',
    "half of a pair in a name": b'{"\\udce9": 1}',
    "half of a pair as bytes": b'"\xed\xa0\x80"',
    "NUL within 500 arrays": nested(500, b"[", b"]", b'"\\u0000"'),
    "NUL within 900 arrays": nested(900, b"[", b"]", b'"\\u0000"'),
    "NUL within 500 objects": nested(500, b'{"a":', b"}", b'"\\u0000"'),
    "500 arrays": nested(500, b"[", b"]"),
    "900 arrays": nested(900, b"[", b"]"),
    "5,000 arrays": nested(5000, b"[", b"]"),
    "5,000 objects": nested(5000, b'{"a":', b"}"),
    "9,900 arrays": nested(9900, b"[", b"]"),
}


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"])
def test_deep_nesting_is_refused(opening: bytes, closing: bytes) -> None:
    decode(b'{"a": %b}' % nested(MAX_DEPTH - 1, opening, closing), dict[str, Any])
    with pytest.raises(ValidationError) as refused:
        decode(b'{"a": %b}' % nested(MAX_DEPTH, opening, closing), dict[str, Any])
    (problem,) = (refused.value.details or {}).values()
    assert problem == NESTED_TOO_DEEPLY


COLLIDING = [
    "self",
    "cls",
    "request",
    "data",
    "body",
    "details",
    "message",
    "fields",
    "plain",
    "",
    "%s",
    "{}",
    "a\\u0000b",
]


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
async def test_unstorable_json_fields_are_refused(sender: Sender, value: bytes) -> None:
    wrong, asked = [], 0
    for target in sender.targets:
        if not target.takes_json:
            continue
        for name in [*target.fields, "self", "other"]:
            content = b'{"%b": %b}' % (name.encode(), value)
            response = await sender.send(target, target.filled(), content=content, headers=JSON)
            asked += 1
            mended = target.path.startswith(TOLERANT) and response.status_code < 500
            if response.status_code != 422 and not mended:
                wrong.append(report(target, name, response))
    assert not wrong
    assert asked > 40


@pytest.mark.parametrize("name", COLLIDING)
async def test_any_json_field_name_is_handled(sender: Sender, name: str) -> None:
    wrong, asked = [], 0
    for target in sender.targets:
        if target.takes_json:
            content = b'{"%b": "x"}' % name.encode()
            response = await sender.send(target, target.filled(), content=content, headers=JSON)
            asked += 1
            if response.status_code != 422 and not (target.path.startswith(TOLERANT) and response.status_code < 500):
                wrong.append(report(target, name, response))
    assert not wrong
    assert asked > 10


@pytest.mark.parametrize(
    "body",
    [
        b'{"style_id": 1, "model_path": "gs://a-bucket/m", "generation_id": 1, "result_url": "gs://b/r", "more": %b}'
        % value
        for value in (*VALUES.values(), b"1e400", b"NaN", b'"\xff"')
    ],
    ids=[*VALUES, "1e400", "NaN", "no UTF-8"],
)
async def test_unknown_fields_of_webhooks_are_cleaned(sender: Sender, body: bytes) -> None:
    for target in sender.targets:
        if target.path.startswith(TOLERANT):
            response = await sender.send(target, target.filled(), content=body, headers=JSON)
            assert response.status_code < 500, report(target, body[:200], response)


def part(disposition: bytes, value: bytes) -> bytes:
    lines = (f"--{BOUNDARY}".encode(), b"Content-Disposition: form-data; " + disposition, b"", value)
    return b"\r\n".join(lines) + f"\r\n--{BOUNDARY}--\r\n".encode()


def parts(names: list[str], files: tuple[str, ...]) -> Iterator[tuple[bytes, bytes]]:
    for name in names:
        for value in (b"a\0b", b"\xff", b"\xed\xa0\x80"):
            yield b'name="%b"' % name.encode(), value
    for name in COLLIDING:
        yield b'name="%b"' % name.encode(), b"x"
    for name in ("self", *files):
        yield b'name="%b"; filename="a\0b.png"' % name.encode(), b"x"
    yield b'name="a\0b"', b"x"
    yield b'name="a\0b"; filename="x.png"', b"x"


async def test_unstorable_form_fields_are_refused(sender: Sender) -> None:
    wrong, asked = [], 0
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    for target in sender.targets:
        if target.form is None:
            continue
        for disposition, value in parts(target.fields, target.form.files):
            content = part(disposition, value)
            response = await sender.send(target, target.filled(), content=content, headers=headers)
            asked += 1
            if response.status_code not in {400, 422} or (b"\0" in content and response.status_code != 422):
                wrong.append(report(target, (disposition, value), response))
    assert not wrong
    assert asked > 50


@pytest.mark.parametrize("boundary", ["", "\xff", '"', "a" * 5000, "a b", "a\0b"])
async def test_an_invalid_boundary_is_refused(sender: Sender, boundary: str) -> None:
    for target in sender.targets:
        if target.form is not None:
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}".encode("latin-1")}
            content = part(b'name="x"', b"x")
            response = await sender.send(target, target.filled(), content=content, headers=headers)
            assert response.status_code == 400, report(target, boundary, response)
