"""An admin's work in a real browser, by keyboard, and 404 for others."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.async_api import Browser, Page, expect

from entrypoints.http.console.actions import ACTIONS
from entrypoints.http.console.pages import PAGES
from tests.end_to_end.service import Service, running_service
from tests.support import chromium, processes

UNLABELLED = """
() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
    .filter(field => !field.labels.length && !field.ariaLabel).map(field => field.outerHTML)
"""
TOO_FAINT = """
() => {
    const rgb = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = node => {
        for (; node; node = node.parentElement) {
            const colour = rgb(getComputedStyle(node).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = [];
    for (let text; (text = walker.nextNode());) {
        const node = text.parentElement;
        if (!text.data.trim() || !node.checkVisibility()) continue;
        const [one, other] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${text.data.trim()}`);
    }
    return faint;
}
"""
"""Texts with a contrast below 4.5:1 (WCAG 2.2, 1.4.3)."""
FOCUSED = """
() => {
    const node = document.activeElement, style = getComputedStyle(node);
    const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return node === document.body ? null : [[...document.querySelectorAll("*")].indexOf(node), marked, node.outerHTML];
}
"""
"""What has the focus: its place in the page, whether an outline shows it (WCAG 2.2, 2.4.7), and its markup."""
OUT_OF_REACH = """
reached => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")]
    .filter(node => !reached.includes([...document.querySelectorAll("*")].indexOf(node))).map(node => node.outerHTML)
"""
REPORT = """
async target => {
    const me = await fetch("/api/auth/me");
    const answer = await fetch("/api/reports", {
        method: "POST",
        headers: {"Content-Type": "application/json", "X-CSRFToken": me.headers.get("X-CSRFToken")},
        body: JSON.stringify({target_type: "user", target_id: target, reason: "spam", text: "Sells followers."}),
    });
    return answer.status;
}
"""
BUY = """
async () => {
    const me = await fetch("/api/auth/me");
    const answer = await fetch("/api/tokens/purchase", {
        method: "POST",
        headers: {"Content-Type": "application/json", "X-CSRFToken": me.headers.get("X-CSRFToken")},
        body: JSON.stringify({package_id: "basic_100"}),
    });
    return (await answer.json()).data.payment_url;
}
"""
MY_ID = "async () => (await (await fetch('/api/auth/me')).json()).data.id"


class Place:
    """The service, a browser, and where its state and the pictures are."""

    def __init__(self, service: Service, browser: Browser, data: Path, pictures: Path) -> None:
        self.service = service
        self.browser = browser
        self.data = data
        self.pictures = pictures

    async def page_of(self, email: str) -> Page:
        """A browser window of a user who has signed in. What goes wrong in it fails the test."""
        context = await self.browser.new_context(viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        await page.goto(f"{self.service.url}/api/auth/google/login?login_hint={email}")
        await page.wait_for_url(f"{self.service.url}/")
        return page

    async def command(self, *arguments: str) -> str:
        def run() -> str:
            return subprocess.run(
                [sys.executable, "-m", "entrypoints.cli", *arguments],
                env=processes.environment(DATA_DIR=str(self.data)),
                cwd=processes.NOWHERE,
                capture_output=True,
                text=True,
                check=True,
            ).stdout

        return await asyncio.to_thread(run)

    async def picture(self, page: Page, name: str) -> None:
        """Take a screenshot of a page without accessibility problems."""
        await check_readable(page)
        await page.screenshot(path=self.pictures / f"{name}.png")


async def check_readable(page: Page) -> None:
    assert await page.evaluate(UNLABELLED) == []
    assert await page.evaluate(TOO_FAINT) == []


async def check_keyboard(page: Page) -> None:
    """The tab key alone reaches everything, and an outline shows where the focus is."""
    reached: list[int] = []
    await page.keyboard.press("Tab")
    while (focused := await page.evaluate(FOCUSED)) and focused[0] not in reached:
        place, marked, node = focused
        assert marked, node
        reached.append(place)
        await page.keyboard.press("Tab")
    assert await page.evaluate(OUT_OF_REACH, reached) == []


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    with TemporaryDirectory(prefix="style-license-") as directory:
        async with running_service(Path(directory), {}) as service, chromium.browser() as browser:
            yield Place(service, browser, Path(directory) / "data", tmp_path)


async def test_an_admin_suspends_a_user(place: Place) -> None:
    ann, boss = await place.page_of("ann@example.com"), await place.page_of("boss@example.com")
    console = f"{place.service.url}/admin/"
    for page in (ann, boss):
        answer = await page.goto(console)
        assert answer
        assert answer.status == 404
    await place.command("admins", "add", "boss@example.com")
    complaints: list[str] = []
    visited: list[str] = []
    boss.on("console", lambda message: complaints.append(message.text))
    boss.on("request", lambda request: visited.append(request.url))

    await boss.goto(console)
    await boss.keyboard.press("Tab")
    await expect(boss.get_by_role("link", name="Skip to the content")).to_be_focused()
    await expect(boss.get_by_role("heading", name="Overview")).to_be_visible()
    await place.picture(boss, "overview")
    await boss.get_by_role("link", name="Users", exact=True).press("Enter")
    await boss.get_by_label(re.compile("^Search")).fill("ann@")
    await boss.keyboard.press("Enter")
    await expect(boss.get_by_role("row")).to_have_count(2)
    await place.picture(boss, "users")
    await boss.get_by_role("rowheader").get_by_role("link").press("Enter")
    await expect(boss.get_by_role("row", name="Standing present")).to_be_visible()
    await place.picture(boss, "user")

    await boss.get_by_role("link", name="Suspend", exact=True).press("Enter")
    await boss.get_by_label(re.compile("^Reason")).fill("Sells other people's artworks.")
    await place.picture(boss, "suspend")
    await boss.keyboard.press("Tab")
    await boss.keyboard.press("Enter")

    await expect(boss.get_by_role("status")).to_have_text("Done: Suspend")
    await expect(boss.get_by_role("row", name="Standing suspended")).to_be_visible()
    await boss.get_by_role("main").get_by_role("link", name="Audit log").press("Enter")
    await expect(boss.get_by_role("cell", name="user.suspended")).to_be_visible()
    await expect(boss.get_by_role("cell", name="Sells other people's artworks.")).to_be_visible()
    await place.picture(boss, "audit-log")
    await boss.get_by_role("link", name="Ledger", exact=True).press("Enter")
    await boss.get_by_role("link", name=re.compile("^welcome:")).first.press("Enter")
    await expect(boss.get_by_role("heading", name=re.compile("^Users: "))).to_be_visible()
    assert complaints == []
    assert [url for url in visited if not url.startswith((place.service.url, "data:"))] == []

    answer = await ann.goto(f"{place.service.url}/api/auth/me")
    assert answer
    assert answer.status == 401
    await ann.goto(f"{place.service.url}/api/auth/google/login?login_hint=ann@example.com")
    assert ann.url.endswith("/login?error=account_suspended")


async def test_an_admin_decides_on_a_report(place: Place) -> None:
    lou, ann, boss = [await place.page_of(f"{name}@example.com") for name in ("lou", "ann", "boss")]
    assert await ann.evaluate(REPORT, await lou.evaluate(MY_ID)) == 201
    await place.command("admins", "add", "boss@example.com")

    await boss.goto(f"{place.service.url}/admin/")
    waiting = boss.locator("dl > div").filter(has=boss.get_by_role("link", name="Reports", exact=True))
    await expect(waiting.get_by_role("definition")).to_have_text("1")
    await waiting.get_by_role("link").press("Enter")
    await expect(boss.get_by_role("row")).to_have_count(2)
    await boss.get_by_role("rowheader").get_by_role("link").press("Enter")
    await expect(boss.get_by_role("row", name="Text Sells followers.")).to_be_visible()
    await place.picture(boss, "report")
    await boss.get_by_role("link", name="Uphold", exact=True).press("Enter")
    await boss.get_by_label(re.compile("^Reason")).fill("Seen on the page of the user.")
    await place.picture(boss, "uphold")
    await boss.keyboard.press("Tab")
    await boss.keyboard.press("Enter")

    await expect(boss.get_by_role("status")).to_have_text("Done: Uphold")
    await expect(boss.get_by_role("row", name="Status upheld")).to_be_visible()
    await boss.goto(f"{place.service.url}/admin/")
    await expect(waiting.get_by_role("definition")).to_have_text("0")
    answer = await lou.goto(f"{place.service.url}/api/auth/me")
    assert answer
    assert answer.status == 401


async def test_an_admin_refunds_a_purchase(place: Place) -> None:
    ann, boss = await place.page_of("ann@example.com"), await place.page_of("boss@example.com")
    await ann.goto(await ann.evaluate(BUY))
    await ann.get_by_role("button", name="Pay", exact=True).press("Enter")
    await ann.wait_for_url(f"{place.service.url}/purchases*")
    await place.command("admins", "add", "boss@example.com")

    await boss.goto(f"{place.service.url}/admin/purchases/list")
    await boss.get_by_role("rowheader").get_by_role("link").press("Enter")
    await expect(boss.get_by_role("row", name="Status paid")).to_be_visible()
    await boss.get_by_role("link", name="Refund", exact=True).press("Enter")
    await boss.get_by_label(re.compile("^Tokens")).fill("40")
    await boss.get_by_label(re.compile("^Reason")).fill("Bought too many.")
    await place.picture(boss, "refund")
    await boss.keyboard.press("Tab")
    await boss.keyboard.press("Enter")

    await expect(boss.get_by_role("status")).to_have_text("Done: Refund")
    await boss.get_by_role("main").get_by_role("link", name="Audit log").press("Enter")
    await expect(boss.get_by_role("cell", name="purchase.refunded")).to_be_visible()


async def test_every_page_is_accessible_and_works_by_keyboard(place: Place) -> None:
    boss = await place.page_of("boss@example.com")
    await place.command("admins", "add", "boss@example.com")
    lists = [f"{name}/list" for name in PAGES]
    forms = [f"act/{page}/1/{name}" for page in ACTIONS for name in ACTIONS[page]]
    for path in ["", *lists, *forms, "users/details/1", "users/details/0"]:
        await boss.goto(f"{place.service.url}/admin/{path}")
        await expect(boss.get_by_role("heading", level=1)).to_be_visible()
        await check_readable(boss)
        await check_keyboard(boss)
