"""Stored markup is returned as data to every reader, never as a page, script or event."""

import re
from urllib.parse import quote

import httpx
import pytest

from core.accounts.model import User
from core.community.post_comment import NewComment, PostComment
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.tasks.outcome import Failure
from entrypoints.http.console.pages import PAGES
from tests.entrypoints.service import API, Service
from tests.entrypoints.streams.steps import polled
from tests.entrypoints.test_console import CSRF, Scene, console, scene
from tests.support.memory_world import MemoryWorld

__all__ = ["console", "scene"]

MARKUP = "<img src=x onerror=alert(1)>\"'{{7*7}}</script>"
LINES = "a\n\nevent: planted\ndata: {}\n\n" + MARKUP
READ = (
    "/api/users/{mia}",
    "/api/styles",
    "/api/styles/{style}",
    "/api/styles/{style}/examples",
    "/api/generations/feed",
    "/api/generations/{image}",
    "/api/generations/{image}/comments",
    "/api/comments/{comment}/replies",
    "/api/auth/sessions",
    "/api/users/me/export",
)


async def things(world: MemoryWorld, reader: User) -> dict[str, int]:
    """Things of which every text is markup, where the core allows it."""
    mia = await world.artist(tokens=100)
    style = await world.style(mia, MARKUP, description=LINES)
    image = await world.image(mia, style, public=True, description=LINES)
    comment = await world.use_case(PostComment)(mia.id, image.id, NewComment(LINES))
    await world.use_case(PostComment)(reader.id, image.id, NewComment(LINES, parent_id=comment))
    return {"mia": mia.id, "style": style.id, "image": image.id, "comment": comment}


@pytest.mark.parametrize("path", READ)
async def test_the_api_answers_json_with_nosniff(service: Service, world: MemoryWorld, path: str) -> None:
    ann = await world.user("ann")
    ids = await things(world, ann)
    async with service.browser(ann) as browser:
        browser.client.headers["User-Agent"] = MARKUP
        browser.client.headers["Accept"] = "text/html"
        response = await browser.get(path.format(**ids))
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert response.json()


async def test_markup_is_stored_unchanged(service: Service, world: MemoryWorld) -> None:
    ids = await things(world, await world.user("ann"))
    image = await polled(service, None, f"/api/generations/{ids['image']}")
    assert (image["description"], image["style"]["name"]) == (LINES, MARKUP)


async def test_text_cannot_inject_stream_events(service: Service, world: MemoryWorld) -> None:
    ids = await things(world, await world.user("ann"))
    async with service.browser() as browser:
        sent = (await browser.get(f"/api/generations/{ids['image']}/events")).text
    assert "planted" in sent
    assert re.findall(r"^event: (\w+)$", sent, re.MULTILINE) == ["status"]
    assert sent.count("\n\n") == 1


async def test_echoed_input_in_errors_is_json(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        refused = await browser.get(f"/api/generations/feed?tags={quote(MARKUP)}")
        unknown = await browser.get(f"/{quote(MARKUP)}", headers={"Accept": "text/html"})
    assert (refused.status_code, unknown.status_code) == (422, 404)
    for response in (refused, unknown):
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_the_console_shows_markup_as_text(scene: Scene, console: httpx.AsyncClient) -> None:
    world = scene.world
    style = await world.style(scene.mia, MARKUP, description=MARKUP)
    image = await world.image(scene.mia, style, public=True, description=MARKUP)
    await world.use_case(PostComment)(scene.ann.id, image.id, NewComment(MARKUP))
    new = NewReport(TargetType.GENERATION, image.id, ReportReason.OTHER, MARKUP)
    await world.use_case(SubmitReport)(scene.ann.id, new)
    failing = await world.generation(await world.user("joe", tokens=100), style)
    async with world.block() as ports:
        await ports.generations.save(failing.fail(at=world.clock.now(), failure=Failure(MARKUP, MARKUP)))
        await ports.ledger.void(failing.hold_id, at=world.clock.now())

    shown = []
    for page in PAGES:
        listed = (await console.get(f"/admin/{page}/list", params={"search": MARKUP})).text
        shown.append(listed)
        shown.append((await console.get(f"/admin/{page}/list?pageSize=100")).text)
        paths = re.findall(rf'<th scope="row"><a href="{API}(/admin/{page}/details/[^"]+)">', shown[-1])
        shown += [(await console.get(path)).text for path in paths[:3]]
    form = scene.address("users", "suspend")
    token = CSRF.findall((await console.get(form)).text)[0]
    shown.append((await console.post(form, data={"reason": MARKUP * 20, "csrf_token": token})).text)
    shown.append((await console.post(form, data={"reason": MARKUP, "csrf_token": "made up"})).text)

    assert not [text for text in shown if "<img src=x" in text or "</script>" in text or "49</script" in text]
    assert len([text for text in shown if "&lt;img src=x onerror=alert(1)&gt;" in text]) > 8
