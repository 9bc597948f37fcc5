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
        assert await page.evaluate(UNLABELLED) == []
        assert await page.evaluate(TOO_FAINT) == []
        await page.screenshot(path=self.pictures / f"{name}.png")


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
