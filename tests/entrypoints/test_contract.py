"""Every call that the frontend relies on: it is documented, and answers, with the fields that were agreed on.

Webhooks are left to test_webhooks.py, and what all answers have in common to test_common_rules.py.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.accounts.model import User
from core.community.post_comment import NewComment, PostComment
from core.generations.record_progress import RecordProgress
from core.identifiers import GenerationId, VersionId
from core.purchases.start_purchase import StartPurchase
from core.styles.record_training_progress import RecordTrainingProgress
from tests.contracts.artwork_uploads import arrived
from tests.entrypoints.frontend_calls import CALLS, Call
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld
from tests.support.pictures import picture

Shape = dict[str, Any] | list[Any] | None
"""Fields by name, the one shape that all of a list have, or None for a value."""


async def sample_data(service: Service, world: MemoryWorld) -> tuple[dict[str, User], dict[str, object]]:
    """The users, and the ids of everything in the calls."""
    mia, ann, zoe = await world.artist("mia"), await world.user("ann", tokens=10, bought=990), await world.user("zoe")
    style = await world.style(mia, "Ink")
    training, failed = await world.untrained_style(mia, "Inlay"), await world.untrained_style(mia, "Iron")
    await world.use_case(RecordTrainingProgress)(
        training.version_id, current_epoch=1, total_epochs=20, progress_percent=5.0, estimated_seconds=60
    )
    image = await world.image(ann, style, public=True, description="여자")
    world.clock.advance()
    processing, queued = await world.generation(ann, style), await world.generation(ann, style)
    await world.use_case(RecordProgress)(
        processing.id, current_step=1, total_steps=50, progress_percent=2.0, estimated_seconds=30
    )
    await world.failed_generation(ann, style)
    await world.follow(ann, mia)
    await world.follow(zoe, ann)
    await world.like(zoe, image)
    comment = await world.use_case(PostComment)(ann.id, image.id, NewComment("Mine"))
    await world.use_case(PostComment)(zoe.id, image.id, NewComment("Yours", parent_id=comment))
    order = (await world.use_case(StartPurchase)(ann.id, "basic_100")).order_id
    bought = (await world.buy(zoe, 100)).order_id
    body = {"style_id": failed.id, "error_message": "No", "error_code": "TRAINING_FAILED"}
    async with service.browser() as browser:
        headers = service.ai_server("training-server")
        assert (await browser.post("/api/webhooks/training/failed", json=body, headers=headers)).status_code == 200
    world.clock.advance(timedelta(minutes=1))
    async with service.browser(ann) as browser:
        notifications = (await browser.get("/api/notifications")).json()["data"]["results"]
    things = {
        **{"mia": mia.id, "ann": ann.id, "zoe": zoe.id, "comment": comment, "order": order, "bought": bought},
        **{"style": style.id, "training": training.id, "failed": failed.id, "notification": notifications[0]["id"]},
        **{"image": image.id, "processing": processing.id, "queued": queued.id},
        **{"upload": (await arrived(world, mia, [picture()]))[0].upload_id, "first": 1},
    }
    return {"mia": mia, "ann": ann, "zoe": zoe}, things


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_every_call_answers_as_specified(service: Service, world: MemoryWorld, call: Call) -> None:
    people, things = await sample_data(service, world)
    if call.path == "/api/notifications/events":
        service.streams.close()  # it has no end of its own
    async with service.browser(people[call.by] if call.by else None) as browser:
        response = await browser.call(call.method, filled_in(call.path, things), **filled_in(call.body, things))

    assert response.status_code == call.status, response.text
    if call.status == 201:
        assert response.headers["location"]
    if call.alone:
        assert response.headers[call.alone]
    if call.fields:
        assert set(missing(shape(call.fields), data(response))) == set()


@pytest.mark.parametrize(
    ("text", "by_style", "by_artist"), [("ink", "name", None), ("tag of it", "tag", None), ("mia", None, "name")]
)
async def test_a_search_result_names_what_matched(
    service: Service, world: MemoryWorld, text: str, by_style: str | None, by_artist: str | None
) -> None:
    await world.style(await world.artist("mia"), "Ink", tags=["a tag of it"])
    async with service.browser() as browser:
        found = (await browser.get("/api/search", params={"q": text})).json()["data"]
    assert [style["matched_by"] for style in found["styles"]] == [by_style] * (by_style is not None)
    assert [artist["matched_by"] for artist in found["artists"]] == [by_artist] * (by_artist is not None)


@pytest.mark.parametrize(
    "path",
    [
        *("/api/generations/{processing}", "/api/generations/me?status=processing"),
        *("/api/styles/{training}", "/api/styles/me"),
    ],
)
@pytest.mark.parametrize(("percent", "shown"), [(42.0, b"42"), (0.0, b"0"), (100.0, b"100"), (42.5, b"42.5")])
async def test_a_whole_percentage_is_shown_without_decimals(
    service: Service, world: MemoryWorld, path: str, percent: float, shown: bytes
) -> None:
    people, things = await sample_data(service, world)
    processing, training = GenerationId(int(str(things["processing"]))), VersionId(int(str(things["training"])))
    await world.use_case(RecordProgress)(
        processing, current_step=21, total_steps=50, progress_percent=percent, estimated_seconds=9
    )
    await world.use_case(RecordTrainingProgress)(
        training, current_epoch=21, total_epochs=50, progress_percent=percent, estimated_seconds=9
    )
    async with service.browser(people["mia" if "styles" in path else "ann"]) as browser:
        body = (await browser.get(filled_in(path, things))).content
    assert b'"progress_percent":%b,' % shown in body


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_every_call_is_documented_as_specified(service: Service, call: Call) -> None:
    document = service.contract.document
    paths = {re.sub(r"{\w+}", "{}", path): operations for path, operations in document["paths"].items()}
    answers = paths[call.template][call.method.lower()]["responses"]

    assert str(call.status) in answers
    refusals = call.refusals.split()
    for status, code in zip(refusals[::2], refusals[1::2], strict=True):
        assert f"`{code}`" in answers[status]["description"]
    if call.fields and not call.template.endswith("/events"):
        schema = answers[str(call.status)]["content"]["application/json"]["schema"]
        assert set(undocumented({"data": shape(call.fields)}, schema, document)) == set()


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "cursor=made-up"])
async def test_every_list_takes_a_limit_and_a_cursor(service: Service, world: MemoryWorld, query: str) -> None:
    people, things = await sample_data(service, world)
    lists = [call for call in CALLS if "next_cursor" in call.fields]
    assert len(lists) > 20
    for call in lists:
        path = filled_in(call.path, things)
        async with service.browser(people[call.by] if call.by else None) as browser:
            response = await browser.get(f"{path}{'&' if '?' in path else '?'}{query}")
        assert (response.status_code, list(response.json()["error"]["details"])) == (422, [query.partition("=")[0]])


def filled_in(wanted: Any, things: Mapping[str, object]) -> Any:
    """The same with ids for names: a text that is nothing but a name becomes the id itself."""
    if isinstance(wanted, str):
        whole = re.fullmatch(r"{(\w+)}", wanted)
        return things[whole[1]] if whole else wanted.format(**things) if "{" in wanted else wanted
    if isinstance(wanted, dict):
        return {name: filled_in(value, things) for name, value in wanted.items()}
    if isinstance(wanted, list):
        return [filled_in(value, things) for value in wanted]
    return wanted


def data(response: httpx.Response) -> Any:
    """Of a stream, the data of its first event."""
    if response.headers["content-type"].startswith("text/event-stream"):
        [first, *_] = [line for line in response.text.splitlines() if line.startswith("data: ")]
        return json.loads(first.removeprefix("data: "))
    body = response.json()
    assert body["success"] is True
    return body["data"]


def shape(written: str) -> Shape:
    """`{a, b: {c}, d: [{e}]}`; of a field that is written twice the second one counts."""
    return _shape(iter(re.findall(r"\w+|[^\s,:]", written)), None)[0]


def _shape(tokens: Iterator[str], pushed: str | None) -> tuple[Shape, str | None]:
    token = pushed or next(tokens)
    if token == "[":
        item, _ = _shape(tokens, None)
        assert next(tokens) == "]"
        return [item], None
    assert token == "{"
    fields: dict[str, Any] = {}
    name = ""
    for token in tokens:
        if token == "}":
            return fields, None
        if token in "{[":
            fields[name], _ = _shape(tokens, token)
        else:
            name = token
            fields[name] = None
    raise AssertionError("a shape that does not end")


def missing(wanted: Shape, found: Any, where: str = "data") -> Iterator[str]:
    """Fields that an answer lacks; a list has to have something in it, and what has fields may not be null."""
    if isinstance(wanted, list):
        if not found:
            yield f"{where} is empty"
        for item in found:
            yield from missing(wanted[0], item, where)
    for name, inner in wanted.items() if isinstance(wanted, dict) else ():
        if not isinstance(found, dict) or name not in found:
            yield f"{where}.{name}"
        else:
            yield from missing(inner, found[name], f"{where}.{name}")


def undocumented(wanted: Shape, schema: dict[str, Any], document: Any, where: str = "") -> Iterator[str]:
    """Fields that no alternative of a schema has."""
    alternatives = list(_alternatives(schema, document))
    if isinstance(wanted, list):
        items = [one["items"] for one in alternatives if "items" in one]
        assert items
        yield from undocumented(wanted[0], {"anyOf": items}, document, where)
    for name, inner in wanted.items() if isinstance(wanted, dict) else ():
        said = [one["properties"][name] for one in alternatives if name in one.get("properties", {})]
        if not said:
            yield f"{where}.{name}"
        else:
            yield from undocumented(inner, {"anyOf": said}, document, f"{where}.{name}")


def _alternatives(schema: dict[str, Any], document: Any) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    inner = [one for how in ("anyOf", "oneOf", "allOf") for one in schema.get(how, [])]
    for one in inner:
        yield from _alternatives(one, document)
    if not inner:
        yield schema
