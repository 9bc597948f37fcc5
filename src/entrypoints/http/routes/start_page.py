"""A start page for development without a frontend."""

import base64
import hashlib
from html import escape
from typing import Annotated

from dishka import FromDishka
from litestar import Controller, MediaType, Response
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from core.accounts.views import AccountsReader, Me
from core.purchases.packages import PACKAGES
from core.requester import Requester
from entrypoints.http.operation import get
from entrypoints.http.security.access import session_optional

STYLE = """
:root { color-scheme: light dark; --ink: #1d1b2e; --paper: #faf8f3; --soft: #8883; --accent: #c2410c }
@media (prefers-color-scheme: dark) { :root { --ink: #ece9e2; --paper: #17151f; --accent: #fb923c } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 system-ui, sans-serif }
main { max-width: 42rem; margin: 0 auto; padding: 4rem 1.5rem }
h1 { font: 600 2.6rem/1.1 Georgia, serif; margin: 0 0 .3rem }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem }
a { color: var(--accent) }
code { background: var(--soft); padding: .1em .35em; border-radius: .3em; font-size: .88em; overflow-wrap: anywhere }
section { border: 1px solid var(--soft); border-radius: .8rem; padding: 1rem 1.3rem; margin: 1.5rem 0 }
[role=alert] { border-color: var(--accent) }
form { display: flex; gap: .6rem; flex-wrap: wrap }
input { flex: 1; min-width: 12rem }
input, button { font: inherit; padding: .45rem .8rem; border-radius: .5rem; border: 1px solid var(--soft) }
button { background: var(--accent); color: #fff; border: 0; cursor: pointer }
dl { display: grid; grid-template-columns: auto 1fr; gap: .2rem 1.2rem; margin: 0 }
dd { margin: 0 }
"""
SCRIPT = """
const post = (path, body) => {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  const headers = { "X-CSRFToken": token ? token[1] : "", "Content-Type": "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
};
document.getElementById("sign-out")?.addEventListener("click", async () => {
  await post("/api/auth/logout");
  location.assign("/");
});
for (const button of document.querySelectorAll("[data-package]")) {
  button.addEventListener("click", async () => {
    const answer = await (await post("/api/tokens/purchase", { package_id: button.dataset.package })).json();
    if (answer.success) location.assign(answer.data.payment_url);
    else button.textContent = answer.error.message;
  });
}
"""
REASONS = {
    "access_denied": "You did not agree to sign in.",
    "invalid_state": "This sign-in was begun elsewhere, or too long ago. Please begin again.",
    "provider_unavailable": "The sign-in provider is out of reach. Please try again in a moment.",
}
PURCHASES = {
    "paid": "Paid: the tokens are yours.",
    "pending": "The payment has not been reported yet: reload this page in a minute.",
    "failed": "The payment failed: no tokens were bought.",
    "expired": "The time to pay is over: no tokens were bought.",
}


class StartPageController(Controller):
    @get(["/", "/login"], guard=session_optional, media_type=MediaType.HTML, documented=False)
    async def start(
        self,
        viewer: NamedDependency[Requester | None],
        accounts: FromDishka[AccountsReader],
        error: Annotated[str | None, QueryParameter(max_length=100)] = None,
    ) -> Response[str]:
        notice = (REASONS.get(error) or f"Signing in failed: {escape(error)}.") if error else None
        return await _answer(viewer, accounts, notice)

    @get("/purchases", guard=session_optional, media_type=MediaType.HTML, documented=False)
    async def purchased(
        self,
        viewer: NamedDependency[Requester | None],
        accounts: FromDishka[AccountsReader],
        status: Annotated[str, QueryParameter(max_length=100)] = "",
        error: Annotated[str, QueryParameter(max_length=100)] = "",
    ) -> Response[str]:
        notice = PURCHASES.get(status, "There is no such payment.")
        return await _answer(viewer, accounts, f"{notice} ({escape(error)})" if error else notice)


async def _answer(viewer: Requester | None, accounts: AccountsReader, notice: str | None) -> Response[str]:
    me = await accounts.me(viewer.id) if viewer else None
    return Response(_page(me, notice), media_type=MediaType.HTML, headers={"Content-Security-Policy": _POLICY})


def _page(me: Me | None, notice: str | None) -> str:
    alert = f'<section role="alert">{notice}</section>' if notice else ""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Style License</title>
<style>{STYLE}</style>
<main>
<h1>Style License</h1>
<p>Artists license their style, buyers pay per image. This is the service itself, without its frontend.</p>
{alert}
{_signed_in(me) if me else _signed_out()}
<h2>Look around</h2>
<p><a href="/api/schema">Browse and try the API</a> &middot; <a href="/api/styles">styles</a> &middot;
<a href="/api/generations/feed">public images</a> &middot; <a href="/api/health">health</a></p>
<p>Or let it play by itself: <code>make demo</code> in another terminal is an artist, then a buyer, and leaves a
finished, signed image as a file.</p>
</main>
<script>{SCRIPT}</script>
</html>
"""


def _signed_out() -> str:
    return """<section>
<p>You are not signed in. Sign in with any address; a first sign-in is given 100 tokens.</p>
<form action="/api/auth/google/login">
<input type="email" name="login_hint" value="someone@example.com" aria-label="E-mail address" required>
<button>Sign in</button>
</form>
</section>"""


def _signed_in(me: Me) -> str:
    artist = f"<dt>Artist name</dt><dd>{escape(me.artist.artist_name)}</dd>" if me.artist else ""
    earned = f"<dt>Earned</dt><dd>{me.artist.earned_token_balance} tokens</dd>" if me.artist else ""
    return f"""<section>
<dl>
<dt>Signed in as</dt><dd><strong>{escape(me.username)}</strong> ({escape(me.role)})</dd>
{artist}
<dt>To spend</dt><dd>{me.token_balance} tokens</dd>
{earned}
</dl>
<p><button id="sign-out">Sign out</button></p>
</section>
<h2>Buy tokens</h2>
<p>{_offers()}</p>
<h2>What to try next</h2>
{_next_steps(me)}"""


def _offers() -> str:
    return "\n".join(
        f'<button data-package="{package.package_id}">{package.amount_tokens:,} for {package.currency_code} '
        f"{package.total_price:,}</button>"
        for package in PACKAGES
    )


def _next_steps(me: Me) -> str:
    if me.artist:
        first = 'Make a style of ten pictures or more: <code>POST /api/styles</code>, and watch it being trained: \
<a href="/api/styles/me"><code>GET /api/styles/me</code></a>.'
    else:
        first = "Become an artist, with a signature as a PNG: <code>POST /api/users/me/upgrade-to-artist</code>."
    return f"""<ol>
<li>{first}</li>
<li>Have an image made in a style that is trained: <code>POST /api/generations</code>.</li>
<li>Watch it come: <a href="/api/generations/me"><code>GET /api/generations/me</code></a>; its
<code>result_url</code> is the image.</li>
<li>See where the tokens went: <a href="/api/tokens/transactions"><code>GET /api/tokens/transactions</code></a>.</li>
</ol>"""


def _hash(inline: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


_POLICY = (
    f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; connect-src 'self'; "
    "form-action *; base-uri 'none'; frame-ancestors 'none'"
)
"""Form targets are not restricted: the answer redirects to the identity provider."""
