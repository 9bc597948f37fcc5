"""Sign-ins in several tabs of a browser with a real provider, which checks PKCE and redeems a code once."""

from uuid import uuid4

import httpx
import pytest

from tests.end_to_end.service import Service


async def begun(service: Service, browser: httpx.AsyncClient, email: str, next: str) -> str:
    """Sign in at the provider in a tab; the callback that it is sent to."""
    query = {"login_hint": email, "next": next}
    url = (await browser.get("/api/auth/google/login", params=query)).headers["Location"]
    if service.provider is not None:
        service.provider.add_user(email, email=email, email_verified=True)
        return await service.provider.sign_in(url, email)
    return str((await browser.get(url)).headers["Location"])


async def location(browser: httpx.AsyncClient, callback: str) -> str:
    """The path to which a tab is redirected after the callback."""
    answer = await browser.get(callback)
    assert answer.is_redirect, answer.text
    return str(answer.headers["Location"])


async def who(browser: httpx.AsyncClient) -> str | None:
    me = (await browser.get("/api/auth/me")).json()
    return me["data"]["email"] if me["success"] else None


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_tabs_can_sign_in_concurrently(service: Service, order: tuple[int, int]) -> None:
    emails = [f"{name}-{uuid4().hex[:8]}@example.com" for name in ("first", "second")]
    async with service.browser() as browser:
        callbacks = [await begun(service, browser, email, f"/{email}") for email in emails]
        stray = callbacks[0].partition("?")[0] + "?state=x&code=y"
        for tab in order:
            if await who(browser) is None:
                assert await location(browser, stray) == "/login?error=invalid_state"
            assert await location(browser, callbacks[tab]) == f"/{emails[tab]}"
            assert await who(browser) == emails[tab]
            for again in (callbacks[tab], stray):
                assert await location(browser, again) == "/"
                assert await who(browser) == emails[tab]


async def test_a_code_is_bound_to_its_sign_in_attempt(service: Service) -> None:
    async with service.browser() as browser:
        one, other = [httpx.URL(await begun(service, browser, f"{uuid4().hex}@example.com", "/")) for _ in range(2)]
        mixed = one.copy_set_param("state", other.params["state"])
        assert (await location(browser, str(mixed))).startswith("/login?error=invalid_")
        assert await who(browser) is None


async def test_another_browser_cannot_finish_a_sign_in(service: Service) -> None:
    email = f"{uuid4().hex}@example.com"
    async with service.browser() as browser, service.browser() as other:
        callback = await begun(service, browser, email, "/mine")
        await begun(service, other, email, "/other")
        assert await location(other, callback) == "/login?error=invalid_state"
        assert await location(browser, callback) == "/mine"
        assert await who(other) is None
