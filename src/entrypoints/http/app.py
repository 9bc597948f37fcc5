"""The HTTP application: one app, any adapters."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from urllib.parse import urlsplit

import msgspec
from dishka import AsyncContainer
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.types import ASGIApp

from entrypoints.http import openapi
from entrypoints.http.body import StrictJson
from entrypoints.http.console.gate import Gate, media_origin
from entrypoints.http.errors import EXCEPTION_HANDLERS
from entrypoints.http.metrics import Metrics
from entrypoints.http.middleware.conditional import Conditional
from entrypoints.http.middleware.containers import Containers
from entrypoints.http.middleware.cors import Cors
from entrypoints.http.middleware.heads import Fields, Targets, check_query
from entrypoints.http.middleware.idempotency import Idempotent
from entrypoints.http.middleware.tracing import Tracing
from entrypoints.http.middleware.unmatched import Unmatched
from entrypoints.http.open_streams import OpenStreams
from entrypoints.http.operation import routes
from entrypoints.http.paging import paging
from entrypoints.http.routes.artwork_uploads import ArtworkUploadsController
from entrypoints.http.routes.auth import AuthController
from entrypoints.http.routes.community import CommunityController
from entrypoints.http.routes.documents import DocumentsController
from entrypoints.http.routes.generations import GenerationsController
from entrypoints.http.routes.health import HealthController
from entrypoints.http.routes.internal import InternalController
from entrypoints.http.routes.media import MediaController
from entrypoints.http.routes.metrics import MetricsController
from entrypoints.http.routes.notifications import NotificationsController
from entrypoints.http.routes.purchases import PurchasesController
from entrypoints.http.routes.reports import ReportsController
from entrypoints.http.routes.search import SearchController, TagsController
from entrypoints.http.routes.start_page import StartPageController
from entrypoints.http.routes.style_versions import StyleVersionsController
from entrypoints.http.routes.styles import StylesController
from entrypoints.http.routes.terms import TermsController
from entrypoints.http.routes.tokens import TokensController
from entrypoints.http.routes.toss import PaymentReturnController
from entrypoints.http.routes.users import UsersController
from entrypoints.http.routes.webhooks import WEBHOOKS
from entrypoints.http.routes.withdrawals import WithdrawalsController, WithdrawalsToSettleController
from entrypoints.http.security import access
from entrypoints.http.security.cookies import Cookies
from entrypoints.http.security.signing import Signers
from entrypoints.http.state import HttpState, attach, state_of
from entrypoints.http.uploads_in_progress import UploadsInProgress
from entrypoints.settings import Settings

MAX_BODY = 1024 * 1024
"""Bytes of a body, unless the route declares another limit."""

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]

API = Router(
    path="/",
    route_handlers=[
        AuthController,
        UsersController,
        TokensController,
        PurchasesController,
        WithdrawalsController,
        WithdrawalsToSettleController,
        PaymentReturnController,
        StylesController,
        StyleVersionsController,
        ArtworkUploadsController,
        TermsController,
        GenerationsController,
        CommunityController,
        SearchController,
        TagsController,
        NotificationsController,
        ReportsController,
        WEBHOOKS,
        InternalController,
        HealthController,
        MetricsController,
        DocumentsController,
    ],
)
START_PAGE = Router(path="/", route_handlers=[StartPageController])
MEDIA = Router(path="/", route_handlers=[MediaController])


def create_app(container: AsyncContainer, settings: Settings, *, lifespan: Sequence[Lifespan] = ()) -> Litestar:
    """The HTTP application with the container's adapters. Its `lifespan` is entered at the start, in order.

    The caller closes the container. Raises ValueError when the settings lack a secret, LookupError for a route without
    a guard.
    """
    if not (settings.training_tokens and settings.inference_tokens and settings.operator_tokens):
        raise ValueError("the service needs tokens of the AI servers and of the operator")
    metrics = Metrics()
    app = Litestar(
        route_handlers=[
            API,
            *([] if settings.frontend_url else [START_PAGE]),
            *([] if settings.gcs_bucket_name else [MEDIA]),
        ],
        dependencies={
            "requester": Provide(access.requester, sync_to_thread=False),
            "operator": Provide(access.acting_admin, sync_to_thread=False),
            "viewer": Provide(access.viewer, sync_to_thread=False),
            "watcher": Provide(access.watcher, sync_to_thread=False),
            "watching_viewer": Provide(access.watching_viewer, sync_to_thread=False),
            "paging": Provide(paging, sync_to_thread=False),
        },
        dto=StrictJson,
        return_dto=None,
        exception_handlers=EXCEPTION_HANDLERS,
        before_request=check_query,
        request_max_body_size=MAX_BODY,
        lifespan=list(lifespan),
        logging_config=None,
        openapi_config=None,
    )
    routes(app)  # raises for one without a guard
    attach(
        app,
        HttpState(
            container=container,
            settings=settings,
            signers=Signers.of(settings.signing_secret()),
            cookies=Cookies(production=settings.production, samesite=settings.cookie_samesite),
            metrics=metrics,
            streams=OpenStreams(),
            uploads=UploadsInProgress(),
            document=cache(lambda: msgspec.json.encode(openapi.document(app))),
        ),
    )
    inner: ASGIApp = Cors(Idempotent(Conditional(Unmatched(Targets(app.asgi_handler)))), settings.cors_allowed_origins)
    if settings.database_url:
        scheme, media = urlsplit(settings.api_base_url).scheme, media_origin(settings)
        inner = Gate(inner, state_of(app).signers, state_of(app).cookies, scheme=scheme, images=media)
    app.asgi_handler = Containers(Tracing(Fields(inner), metrics, https=settings.production))
    return app
