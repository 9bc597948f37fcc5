"""Every call that the frontend relies on: it is documented, and answers, with the fields that were agreed on.

Webhooks are left to test_webhooks.py, and what all answers have in common to test_common_rules.py.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.accounts.model import User
from core.community.post_comment import NewComment, PostComment
from core.generations.record_progress import RecordProgress
from core.identifiers import GenerationId, StyleId
from core.purchases.start_purchase import StartPurchase
from core.styles.record_training_progress import RecordTrainingProgress
from tests.entrypoints.pictures import picture, pictures
from tests.entrypoints.service import Service
from tests.entrypoints.test_users import data_url
from tests.support.world import MemoryWorld

Shape = dict[str, Any] | list[Any] | None
"""Fields by name, the one shape that all of a list have, or None for a value."""


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    """With the names of things in the life below where ids are."""
    status: int = 200
    fields: str = ""
    """Of `data`, in the contract's own notation."""
    by: str | None = "ann"
    body: dict[str, Any] = field(default_factory=dict)
    refusals: str = ""
    """Codes, each behind its status: `409 DUPLICATE_LIKE`."""
    alone: str = ""
    """The header that the answer is about, where it has no body."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} by {self.by}"

    @property
    def template(self) -> str:
        return re.sub(r"{\w+}", "{}", self.path.partition("?")[0])


def listed(item: str, more: str = "") -> str:
    return f"{{results: [{item}], next_cursor, has_more{more}}}"


ME = """{id, username, email, profile_image, role, token_balance, bio, created_at,
    artist: {id, artist_name, signature_image_url, verified_email, earned_token_balance, follower_count}}"""
ARTIST = "{id, artist_name, signature_image_url, verified_email, earned_token_balance, follower_count}"
PROFILE = """{id, username, profile_image, bio, role, created_at, is_following,
    artist: {id, artist_name, follower_count}, stats: {total_generations, public_generations, following_count}}"""
OWN_PROFILE = f"{PROFILE.removesuffix('}')}, updated_at}}"
PURCHASE = """{order_id, payment_url, package_id, amount_tokens, price_per_token, currency_code, total_price,
    expires_at}"""
TRANSACTION = """{id, type, direction, amount, status, refunded, price_per_token, total_price, currency_code, memo,
    created_at, sender, receiver, related_style, related_generation}"""
PAID = """{id, type, direction, amount, status, refunded, price_per_token, total_price, currency_code, memo,
    created_at, sender: {id, username}, receiver: {id, username}, related_style: {id, name},
    related_generation: {id, status}}"""
STYLE = """id, name, description, thumbnail_url, artist: {id, username, artist_name}, training_status,
    generation_cost_tokens, license_type, usage_count, tags, created_at"""
STYLE_DETAIL = f"""{STYLE}, artist: {{id, username, artist_name, profile_image, follower_count}}, valid_from, valid_to,
    is_active, updated_at, stats: {{total_generations, avg_likes}}, sample_artworks: [{{id, image_url, tags}}],
    progress"""
EPOCHS = "{current_epoch, total_epochs, progress_percent, estimated_seconds, last_updated}"
GENERATION = """id, user_id, user: {id, username, profile_image}, style: {id, name, artist: {id, artist_name}}, status,
    consumed_tokens, license: {type, version}, aspect_ratio, seed, tags, description, is_public, like_count,
    comment_count, is_liked, result_url, progress, queue, error_message, refunded, created_at, updated_at"""
STEPS = "{current_step, total_steps, progress_percent, estimated_seconds, last_updated}"
FEED = """{id, user: {id, username, profile_image}, style: {id, name, artist: {id, artist_name}}, result_url,
    description, aspect_ratio, like_count, comment_count, is_liked, tags, created_at}"""
COMMENT = """id, user: {id, username, profile_image}, content, parent_id, created_at, updated_at"""
COMMENTS = f"{{{COMMENT}, reply_count, replies: [{{{COMMENT}}}]}}"
NOTIFICATION = """{id, type, actor: {id, username, profile_image}, target_type, target_id,
    target: {id, name, image_url, result_url}, metadata, is_read, created_at}"""
FOUND = """{styles: [{id, name, thumbnail_url, artist: {id, username, artist_name}, matched_by, usage_count}],
    artists: [{id, username, artist_name, profile_image, follower_count, matched_by}]}"""
STYLE_REFUSALS = """403 ARTIST_ONLY 403 STYLE_LIMIT_REACHED 409 DUPLICATE_STYLE_NAME 422 RIGHTS_NOT_AFFIRMED
    422 INSUFFICIENT_IMAGES 422 TOO_MANY_IMAGES 422 INVALID_IMAGE_FORMAT 422 IMAGE_SIZE_EXCEEDED
    422 IMAGE_RESOLUTION_TOO_LOW 422 INVALID_TAG_LANGUAGE"""
NEW_STYLE = {
    "name": "Oil",
    "description": "",
    "generation_cost_tokens": "30",
    "license_type": "personal",
    "tags": "oil",
}
SIGNATURE = data_url(picture(64, 64))

CALLS = [
    # 1. Auth
    Call("GET", "/api/auth/google/login?next=/styles", 302, by=None, alone="location"),
    Call("GET", "/api/auth/google/callback?code=a&state=b", 302, by=None, alone="location"),
    Call("GET", "/api/auth/me", fields=ME, by="mia", refusals="401 UNAUTHORIZED"),
    Call("POST", "/api/auth/logout"),
    # 2. Users
    Call("GET", "/api/users/{mia}", fields=PROFILE, refusals="404 USER_NOT_FOUND"),
    Call(
        "PATCH",
        "/api/users/me",
        fields=OWN_PROFILE,
        by="mia",
        body={"data": {"username": "mina", "bio": "Hello"}, "files": {"profile_image": ("me.png", picture(64, 64))}},
        refusals="409 USERNAME_TAKEN",
    ),
    Call(
        "POST",
        "/api/users/me/upgrade-to-artist",
        201,
        fields=f"{{user: {ME}, artist: {ARTIST}}}",
        body={"json": {"artist_name": "Ann", "verified_email": "ann@example.com", "signature_image": SIGNATURE}},
        refusals="409 ALREADY_ARTIST",
    ),
    Call("DELETE", "/api/users/me", 204, by="zoe"),
    Call(
        "POST",
        "/api/users/{zoe}/follow",
        fields="{following, follower_count}",
        refusals="400 SELF_FOLLOW_NOT_ALLOWED 409 DUPLICATE_FOLLOW 404 USER_NOT_FOUND",
    ),
    Call("DELETE", "/api/users/{mia}/follow", 204),
    Call(
        "GET",
        "/api/users/me/following",
        fields=listed("{id, username, profile_image, artist_name, role, follower_count, followed_at}"),
    ),
    # 3. Tokens
    Call("GET", "/api/tokens/balance", fields="{user_id, token_balance, held_tokens, earned_token_balance}"),
    Call(
        "GET",
        "/api/tokens/packages",
        fields="[{package_id, amount_tokens, total_price, price_per_token, currency_code}]",
    ),
    Call(
        "POST",
        "/api/tokens/purchase",
        201,
        fields=PURCHASE,
        body={"json": {"package_id": "basic_100"}},
        refusals="400 INVALID_PACKAGE",
    ),
    Call("GET", "/api/tokens/purchases/{order}", fields=PURCHASE.replace("payment_url", "status")),
    *(Call("GET", f"/api/tokens/transactions?type={type}", fields=listed(TRANSACTION)) for type in ("all", "bonus")),
    *(Call("GET", f"/api/tokens/transactions?type={type}", fields=listed(PAID)) for type in ("generation", "refund")),
    Call("GET", "/api/tokens/transactions?type=purchase", fields="{results, next_cursor, has_more}"),
    Call("GET", "/api/tokens/transactions?type=withdrawal", fields="{results, next_cursor, has_more}"),
    Call(
        "POST",
        "/api/tokens/withdrawals",
        201,
        fields="{id, amount, status}",
        by="mia",
        body={"json": {"amount": 1}},
        refusals="402 INSUFFICIENT_TOKENS 403 ARTIST_ONLY",
    ),
    *(
        Call(
            "GET",
            f"/api/tokens/earnings?from=2026-01-01&to=2026-01-31&tz=Asia/Seoul&group_by={by}",
            fields=fields,
            by="mia",
        )
        for by, fields in (
            ("day", "{images, tokens, results: [{day, images, tokens}]}"),
            ("style", "{images, tokens, results: [{style: {id, name}, images, tokens}]}"),
        )
    ),
    # 4. Styles
    Call("GET", "/api/styles?sort=recent", fields=listed(f"{{{STYLE}}}"), by=None),
    Call("GET", "/api/styles?sort=popular&tags=ink&artist_id={mia}", fields=listed(f"{{{STYLE}}}"), by=None),
    Call("GET", "/api/styles?training_status=completed", fields=listed(f"{{{STYLE}}}"), by=None),
    Call("GET", "/api/styles?training_status=all", fields=listed(f"{{{STYLE}}}"), by="mia"),
    Call("GET", "/api/styles/{style}", fields=f"{{{STYLE_DETAIL}}}", by=None, refusals="404 STYLE_NOT_FOUND"),
    Call(
        "GET",
        "/api/styles/{training}",
        fields=f"""{{{STYLE_DETAIL}: {EPOCHS}, model_path, training_metric, artworks, failure,
            rights: {{affirmed_by, affirmed_at, explicit, version}}}}""",
        by="mia",
    ),
    Call(
        "POST",
        "/api/styles",
        201,
        fields="{id, name, training_status, artwork_count, created_at, progress}",
        by="mia",
        body={"data": NEW_STYLE, "files": pictures(10)},
        refusals=STYLE_REFUSALS,
    ),
    Call(
        "PATCH",
        "/api/styles/{style}",
        fields=f"""{{{STYLE_DETAIL}, model_path, training_metric, failure,
            rights: {{affirmed_by, affirmed_at, explicit, version}}}}""",
        by="mia",
        body={
            "json": {
                "description": "New",
                "generation_cost_tokens": 40,
                "license_type": "commercial",
                "valid_to": None,
                "is_active": True,
                "show_samples": True,
            }
        },
        refusals="422 STYLE_NOT_READY 403 FORBIDDEN",
    ),
    Call("PATCH", "/api/styles/{style}", by="mia", body={"files": {"thumbnail": ("t.png", picture(64, 64))}}),
    Call("POST", "/api/styles/{failed}/retrain", 202, by="mia", refusals="409 TRAINING_IN_PROGRESS"),
    Call("DELETE", "/api/styles/{style}", 204, by="mia"),
    Call("GET", "/api/styles/me", fields=listed(f"{{{STYLE}, total_earned_tokens, progress}}"), by="mia"),
    Call("GET", "/api/styles/{style}/examples", fields=listed(FEED), by=None),
    Call("GET", "/api/styles/{style}/recommended-tags", fields="[{name, count}]", by=None),
    Call("GET", "/api/terms", fields="[{version, rights, licenses: [{type, text}]}]", by=None),
    Call("GET", "/api/styles/{style}/events", fields=f"{{{STYLE_DETAIL}}}", by=None),
    # 5. Generations
    Call(
        "POST",
        "/api/generations",
        201,
        fields="""{id, user_id, style_id, status, consumed_tokens, aspect_ratio, created_at, progress,
            queue: {position, estimated_seconds}}""",
        body={
            "json": {
                "style_id": "{style}",
                "prompt_tags": ["cat"],
                "description": "고양이",
                "aspect_ratio": "1:2",
                "seed": 7,
            }
        },
        refusals="""402 INSUFFICIENT_TOKENS 404 STYLE_NOT_FOUND 422 STYLE_NOT_READY 422 INVALID_TAG_LANGUAGE
            422 VALIDATION_ERROR""",
    ),
    Call("GET", "/api/generations/{image}", fields=f"{{{GENERATION}}}", by=None),
    Call("GET", "/api/generations/{processing}", fields=f"{{{GENERATION}, progress: {STEPS}}}"),
    Call("GET", "/api/generations/{queued}", fields=f"{{{GENERATION}, queue: {{position, estimated_seconds}}}}"),
    *(
        Call("GET", f"/api/generations/feed?{query}", fields=listed(FEED))
        for query in ("", "sort=recent&tags=woman", "sort=popular&user_id={ann}")
    ),
    Call("GET", "/api/generations/feed?following=true", fields=listed(FEED), by="zoe"),
    *(
        Call("GET", f"/api/generations/me?{query}", fields=listed(f"{{{GENERATION}}}"))
        for query in (
            *(f"status={status}" for status in ("all", "queued", "processing", "completed", "failed")),
            *(f"is_public={public}" for public in ("all", "true", "false")),
        )
    ),
    Call(
        "PATCH",
        "/api/generations/{image}",
        fields=f"{{{GENERATION}}}",
        body={"json": {"is_public": False, "description": "Mine"}},
    ),
    Call(
        "POST",
        "/api/generations/{queued}/cancel",
        fields=f"{{{GENERATION}}}",
        refusals="409 GENERATION_STILL_PROCESSING",
    ),
    Call("GET", "/api/generations/{image}/events", fields=f"{{{GENERATION}}}"),
    # 6. Community
    Call("POST", "/api/generations/{image}/like", fields="{liked, like_count}", refusals="409 DUPLICATE_LIKE"),
    Call("DELETE", "/api/generations/{image}/like", 204, by="zoe"),
    Call("GET", "/api/generations/{image}/comments", fields=listed(COMMENTS), by=None),
    Call("GET", "/api/comments/{comment}/replies", fields=listed(f"{{{COMMENT}}}"), by=None),
    Call(
        "POST",
        "/api/generations/{image}/comments",
        201,
        fields=f"{{{COMMENT}}}",
        body={"json": {"content": "Nice", "parent_id": "{comment}"}},
        refusals="422 REPLY_DEPTH_EXCEEDED",
    ),
    Call(
        "PATCH",
        "/api/comments/{comment}",
        fields=f"{{{COMMENT}}}",
        body={"json": {"content": "Nicer"}},
        refusals="403 FORBIDDEN 404 COMMENT_NOT_FOUND",
    ),
    Call("DELETE", "/api/comments/{comment}", 204, refusals="403 FORBIDDEN 404 COMMENT_NOT_FOUND"),
    # 7. Search and tags
    Call("GET", "/api/search?q=i&type=all&limit=5", fields=FOUND, by=None),
    Call("GET", "/api/search?q=ink&type=styles", fields="{styles: [{id}], artists}", by=None),
    Call("GET", "/api/search?q=mia&type=artists", fields="{styles, artists: [{id}]}", by=None),
    Call("GET", "/api/tags?search=in&limit=5", fields="[{id, name, usage_count}]", by=None),
    # 8. Notifications
    *(
        Call("GET", f"/api/notifications?unread_only={only}", fields=listed(NOTIFICATION, ", unread_count"))
        for only in ("true", "false")
    ),
    Call("PATCH", "/api/notifications/{notification}/read"),
    Call("POST", "/api/notifications/read-all", fields="{updated_count}"),
    Call("GET", "/api/notifications/events"),
    # 10. Health, metrics, documents
    Call("GET", "/api/health", fields="{status, version, checks: {database, queue, storage}}", by=None),
    Call("GET", "/api/health/live", by=None),
    Call("GET", "/api/health/ready", by=None),
]


async def a_life(service: Service, world: MemoryWorld) -> tuple[dict[str, User], dict[str, object]]:
    """Who there is, and all that is called by an id."""
    mia, ann, zoe = await world.artist("mia"), await world.user("ann", tokens=1000), await world.user("zoe")
    style = await world.style(mia, "Ink")
    training, failed = await world.untrained_style(mia, "Inlay"), await world.untrained_style(mia, "Iron")
    await world.use_case(RecordTrainingProgress)(
        training.id, current_epoch=1, total_epochs=20, progress_percent=5.0, estimated_seconds=60
    )
    image = await world.image(ann, style, public=True, description="여자")
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
    body = {"style_id": failed.id, "error_message": "No", "error_code": "TRAINING_FAILED"}
    async with service.browser() as browser:
        headers = service.ai_server("training-server")
        assert (await browser.post("/api/webhooks/training/failed", json=body, headers=headers)).status_code == 200
    world.clock.advance(timedelta(minutes=1))
    async with service.browser(ann) as browser:
        notifications = (await browser.get("/api/notifications")).json()["data"]["results"]
    things = {
        **{"mia": mia.id, "ann": ann.id, "zoe": zoe.id, "comment": comment, "order": order},
        **{"style": style.id, "training": training.id, "failed": failed.id, "notification": notifications[0]["id"]},
        **{"image": image.id, "processing": processing.id, "queued": queued.id},
    }
    return {"mia": mia, "ann": ann, "zoe": zoe}, things


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_every_call_answers_as_agreed(service: Service, world: MemoryWorld, call: Call) -> None:
    people, things = await a_life(service, world)
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
async def test_a_search_says_what_matched(
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
    people, things = await a_life(service, world)
    processing, training = GenerationId(int(str(things["processing"]))), StyleId(int(str(things["training"])))
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
def test_every_call_is_documented_as_agreed(service: Service, call: Call) -> None:
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
    people, things = await a_life(service, world)
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
    return wanted


def data(response: httpx.Response) -> Any:
    """Of a stream, what its first event tells."""
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
