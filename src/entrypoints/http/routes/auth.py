"""Signing in with the identity provider, who one is, and signing out."""

import hmac
import re
from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlsplit

import msgspec
from dishka.integrations.litestar import FromDishka
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect

from core.accounts.sign_in import SignIn
from core.accounts.sign_out import SignOut
from core.accounts.views import AccountsReader, Me
from core.errors import DomainError
from core.ports.clock import Clock
from core.ports.identity_provider import IdentityProvider, SignInFailed
from core.ports.secrets import Secrets
from core.requester import Requester
from entrypoints.http.envelope import Success
from entrypoints.http.errors import AnyRequest
from entrypoints.http.security.access import CSRF_HEADER, csrf_token, signed_in, unidentified
from entrypoints.http.security.cookies import CSRF, SESSION, SIGN_IN, SIGN_IN_LIFETIME, SIGN_IN_PATH, Cookies
from entrypoints.http.security.limits import LIMIT, Own
from entrypoints.http.security.signing import Signer

_FRONTEND_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")
"""A path of this origin: `//host` and `/\\host` are other origins to a browser, which also drops tabs and newlines."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Attempt(msgspec.Struct, frozen=True):
    """What the browser that began to sign in keeps until it comes back: nobody else can finish for it."""

    state: str
    nonce: str
    code_verifier: str
    next: str
    until: datetime


class AuthController(Controller):
    path = "/api/auth"
    tags = ("Auth",)

    @get(
        "/google/login",
        guards=[unidentified],
        opt={LIMIT: Own.SIGN_IN},
        status_code=302,
        summary="Go to the identity provider",
    )
    async def login(
        self,
        request: AnyRequest,
        provider: FromDishka[IdentityProvider],
        secrets: FromDishka[Secrets],
        clock: FromDishka[Clock],
        next: Annotated[str, QueryParameter(description="Where to go then: a path of the frontend.")] = "/",
        login_hint: Annotated[str | None, QueryParameter(description="The e-mail to sign in with.")] = None,
    ) -> Redirect:
        attempt = Attempt(
            state=secrets.token(),
            nonce=secrets.token(),
            code_verifier=secrets.token(),
            next=next if _FRONTEND_PATH.fullmatch(next) else "/",
            until=clock.now() + SIGN_IN_LIFETIME,
        )
        try:
            url = await provider.authorization_url(
                redirect_uri=_redirect_uri(request),
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.code_verifier,
                login_hint=login_hint,
            )
        except SignInFailed as error:
            return _refused(request, error.reason)
        sealed = _signer(request).seal("sign-in", msgspec.json.encode(attempt))
        return Redirect(url, status_code=302, cookies=[_cookies(request).sign_in(sealed)])

    @get("/google/callback", guards=[unidentified], status_code=302, summary="Come back from the identity provider")
    async def callback(
        self,
        request: AnyRequest,
        provider: FromDishka[IdentityProvider],
        sign_in: FromDishka[SignIn],
        sign_out: FromDishka[SignOut],
        clock: FromDishka[Clock],
        code: FromQuery[str | None] = None,
        returned_state: Annotated[str | None, QueryParameter(name="state")] = None,
        error: FromQuery[str | None] = None,
    ) -> Redirect:
        attempt = _attempt(request)
        if attempt is None or attempt.until <= clock.now() or not _same(attempt.state, returned_state):
            return _refused(request, "invalid_state")
        if error is not None or code is None:
            return _refused(request, "access_denied" if error == "access_denied" else "provider_refused")
        try:
            identity = await provider.identify(
                code=code,
                redirect_uri=_redirect_uri(request),
                nonce=attempt.nonce,
                code_verifier=attempt.code_verifier,
            )
            session = await sign_in(identity, user_agent=request.headers.get("User-Agent", ""))
            if earlier := request.cookies.get(SESSION):
                await sign_out(earlier)
        except SignInFailed as failure:
            return _refused(request, failure.reason)
        except DomainError as failure:
            return _refused(request, failure.code.lower())
        cookies = _cookies(request)
        return Redirect(
            _frontend(request) + quote(attempt.next, safe="/?#[]@!$&'()*+,;=%:~-._"),
            status_code=302,
            cookies=[
                cookies.session(session.token),
                cookies.csrf(csrf_token(request, session.token)),
                cookies.sign_in_over(),
            ],
        )

    @get("/me", guards=[signed_in], summary="Who I am")
    async def me(
        self, request: AnyRequest, requester: NamedDependency[Requester], accounts: FromDishka[AccountsReader]
    ) -> Response[Success[Me]]:
        token = csrf_token(request, request.cookies[SESSION])
        known = request.cookies.get(CSRF) == token
        return Response(
            Success(data=await accounts.me(requester.id)),
            headers={CSRF_HEADER: token},
            cookies=[] if known else [_cookies(request).csrf(token)],
        )

    @post("/logout", guards=[signed_in], status_code=200, summary="Sign out")
    async def logout(self, request: AnyRequest, sign_out: FromDishka[SignOut]) -> Response[Success[None]]:
        await sign_out(request.cookies[SESSION])
        return Response(Success(data=None), cookies=_cookies(request).signed_out())


def _attempt(request: AnyRequest) -> Attempt | None:
    sealed = _signer(request).unseal("sign-in", request.cookies.get(SIGN_IN, ""))
    return msgspec.json.decode(sealed, type=Attempt) if sealed else None


def _same(expected: str, given: str | None) -> bool:
    return given is not None and hmac.compare_digest(expected.encode(), given.encode())


def _refused(request: AnyRequest, reason: str) -> Redirect:
    """Back to the frontend without a session, and without what the attempt left in the browser."""
    return Redirect(
        f"{_frontend(request)}/login?error={quote(reason, safe='')}",
        status_code=302,
        cookies=[_cookies(request).sign_in_over()],
    )


def _redirect_uri(request: AnyRequest) -> str:
    """The callback; on a developer's machine under the name by which the browser came, for cookies are kept by name."""
    own = urlsplit(request.app.state.settings.api_base_url)
    asked = request.headers.get("Host", "")
    if own.hostname in LOOPBACK and urlsplit(f"//{asked}").hostname in LOOPBACK:
        own = own._replace(netloc=asked)
    return f"{own.geturl()}{SIGN_IN_PATH}/callback"


def _frontend(request: AnyRequest) -> str:
    """Without a frontend this service's own start page stands in for it, on whatever host the browser came to."""
    return request.app.state.settings.frontend_url or ""


def _signer(request: AnyRequest) -> Signer:
    signer: Signer = request.app.state.signer
    return signer


def _cookies(request: AnyRequest) -> Cookies:
    cookies: Cookies = request.app.state.cookies
    return cookies
