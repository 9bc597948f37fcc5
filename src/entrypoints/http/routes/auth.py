"""Sign-in with the identity provider, the current user, sign-out."""

import re
from typing import Annotated
from urllib.parse import quote, urlsplit

from dishka import FromDishka
from litestar import Controller, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect

from core.accounts.errors import SessionNotFound
from core.accounts.revoke_other_sessions import RevokeOtherSessions
from core.accounts.revoke_session import RevokeSession
from core.accounts.sign_in import SignIn, token_hash
from core.accounts.sign_out import SignOut
from core.accounts.views import AccountsReader, Me, SessionView
from core.errors import DomainError
from core.identifiers import SessionId
from core.ports.active_sessions import ActiveSessions
from core.ports.clock import Clock
from core.ports.identity_provider import IdentityProvider, SignInFailed
from core.ports.secrets import Secrets
from core.requester import Requester
from entrypoints.http.envelope import Success
from entrypoints.http.errors import AnyRequest
from entrypoints.http.operation import RouteLimit, delete, get, post
from entrypoints.http.paging import Paging, Results
from entrypoints.http.params import PathId
from entrypoints.http.security import attempts, browsers
from entrypoints.http.security.access import CSRF_HEADER, csrf_token, session_ignored, session_token, signed_in
from entrypoints.http.security.attempts import Attempt
from entrypoints.http.security.cookies import SIGN_IN_LIFETIME, SIGN_IN_PATH, cookie
from entrypoints.http.state import state_of

_FRONTEND_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
"""A path of this origin: `//host` and `/\\host` are other origins to a browser, which also drops tabs and newlines."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class AuthController(Controller):
    path = "/api/auth"
    tags = ("Auth",)

    @get(
        "/google/login",
        guard=session_ignored,
        limit=RouteLimit.SIGN_IN,
        summary="Sign in with the identity provider",
        status=302,
    )
    async def login(
        self,
        request: AnyRequest,
        provider: FromDishka[IdentityProvider],
        secrets: FromDishka[Secrets],
        clock: FromDishka[Clock],
        next: Annotated[
            str, QueryParameter(description="Where to redirect after the sign-in: a path of the frontend.")
        ] = "/",
        login_hint: Annotated[str | None, QueryParameter(description="The e-mail to sign in with.")] = None,
    ) -> Redirect:
        now = clock.now()
        attempt = Attempt(
            state=secrets.token(),
            nonce=secrets.token(),
            code_verifier=secrets.token(),
            next=next if _FRONTEND_PATH.fullmatch(next) and attempts.fits(next) else "/",
            until=now + SIGN_IN_LIFETIME,
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
        return Redirect(url, status_code=302, cookies=attempts.begin(request, attempt, at=now))

    @get(
        "/google/callback",
        guard=session_ignored,
        limit=RouteLimit.ANONYMOUS,
        summary="Complete the sign-in",
        status=302,
    )
    async def callback(
        self,
        request: AnyRequest,
        provider: FromDishka[IdentityProvider],
        sign_in: FromDishka[SignIn],
        sign_out: FromDishka[SignOut],
        sessions: FromDishka[ActiveSessions],
        clock: FromDishka[Clock],
        code: FromQuery[str | None] = None,
        returned_state: Annotated[str | None, QueryParameter(name="state")] = None,
        error: FromQuery[str | None] = None,
    ) -> Redirect:
        now = clock.now()
        attempt = attempts.find(request, returned_state, at=now)
        cookies = state_of(request.app).cookies
        earlier = cookie(request.scope, cookies.session_name)
        known = browsers.known_users(request)
        if attempt is None and earlier and await sessions.requester(token_hash(earlier), at=now):
            return _to_frontend(request, "/")  # most likely a repeated callback
        if attempt is None:
            return _refused(request, "invalid_state")
        if error is not None or code is None:
            return _refused(request, "access_denied" if error == "access_denied" else "provider_refused", attempt)
        try:
            identity = await provider.identify(
                code=code,
                redirect_uri=_redirect_uri(request),
                nonce=attempt.nonce,
                code_verifier=attempt.code_verifier,
            )
            session = await sign_in(identity, user_agent=request.headers.get("User-Agent", ""), known_users=known)
            if earlier:
                await sign_out(earlier)
        except SignInFailed as failure:
            return _refused(request, failure.reason, attempt)
        except DomainError as failure:
            return _refused(request, failure.code.lower(), attempt)
        return _to_frontend(
            request,
            quote(attempt.next, safe="/?#[]@!$&'()*+,;=%:~-._"),
            cookies.session(session.token),
            cookies.csrf(csrf_token(request, session.token)),
            browsers.remember(request, known, session.user_id),
            attempts.end(request, attempt),
        )

    @get("/me", guard=signed_in, summary="Current user")
    async def me(
        self, request: AnyRequest, requester: NamedDependency[Requester], accounts: FromDishka[AccountsReader]
    ) -> Response[Success[Me]]:
        cookies = state_of(request.app).cookies
        token = csrf_token(request, session_token(request))
        known = cookie(request.scope, cookies.csrf_name) == token
        return Response(
            Success(data=await accounts.me(requester.id)),
            headers={CSRF_HEADER: token},
            cookies=[] if known else [cookies.csrf(token)],
        )

    @post("/logout", guard=signed_in, summary="Sign out", status=200)
    async def logout(self, request: AnyRequest, sign_out: FromDishka[SignOut]) -> Response[Success[None]]:
        await sign_out(session_token(request))
        return Response(Success(data=None), cookies=state_of(request.app).cookies.signed_out())

    @get("/sessions", guard=signed_in, summary="List my sessions")
    async def sessions(
        self,
        request: AnyRequest,
        requester: NamedDependency[Requester],
        paging: NamedDependency[Paging],
        accounts: FromDishka[AccountsReader],
        clock: FromDishka[Clock],
    ) -> Success[Results[SessionView]]:
        page = await accounts.sessions(
            requester.id,
            current=token_hash(session_token(request)),
            at=clock.now(),
            page=paging.request("sessions"),
        )
        return Success(data=paging.results("sessions", page))

    @delete("/sessions", guard=signed_in, summary="Revoke my other sessions")
    async def revoke_others(
        self,
        request: AnyRequest,
        requester: NamedDependency[Requester],
        revoke_other_sessions: FromDishka[RevokeOtherSessions],
    ) -> None:
        await revoke_other_sessions(requester.id, current=token_hash(session_token(request)))

    @delete(
        "/sessions/{session_id:int}",
        guard=signed_in,
        refusals=(SessionNotFound,),
        summary="Revoke one of my sessions",
        description="Its event streams end at once. Revoking the current session is signing out.",
    )
    async def revoke(
        self,
        request: AnyRequest,
        session_id: PathId[SessionId],
        requester: NamedDependency[Requester],
        revoke_session: FromDishka[RevokeSession],
    ) -> Response[None]:
        revoked = await revoke_session(requester.id, session_id)
        current = revoked == token_hash(session_token(request))
        return Response(None, cookies=state_of(request.app).cookies.signed_out() if current else [])


def _refused(request: AnyRequest, reason: str, attempt: Attempt | None = None) -> Redirect:
    """Redirect to the frontend without a new session; ends this sign-in attempt and no other."""
    ended = [attempts.end(request, attempt)] if attempt else []
    return _to_frontend(request, f"/login?error={quote(reason, safe='')}", *ended)


def _to_frontend(request: AnyRequest, path: str, *cookies: Cookie) -> Redirect:
    """Without a frontend this service's own start page stands in for it, on whatever host the browser came to."""
    return Redirect((state_of(request.app).settings.frontend_url or "") + path, status_code=302, cookies=cookies)


def _redirect_uri(request: AnyRequest) -> str:
    """The callback; on a developer's machine under the name by which the browser came, for cookies are kept by name."""
    own = urlsplit(state_of(request.app).settings.api_base_url)
    asked = request.headers.get("Host", "")
    if own.hostname in LOOPBACK and urlsplit(f"//{asked}").hostname in LOOPBACK:
        own = own._replace(netloc=asked)
    return f"{own.geturl()}{SIGN_IN_PATH}/callback"
