"""The OpenAPI document, and a page to browse and try the API that works offline."""

from importlib.util import find_spec
from pathlib import Path

from litestar import Controller, MediaType, Response
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import File

from entrypoints.http.errors import AnyRequest
from entrypoints.http.operation import RouteLimit, get
from entrypoints.http.security.access import session_ignored
from entrypoints.http.state import state_of

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Style License API</title>
<link rel="stylesheet" href="/api/schema/assets/swagger-ui.css">
<link rel="icon" href="/api/schema/assets/favicon-32x32.png">
<div id="api"></div>
<script src="/api/schema/assets/swagger-ui-bundle.js"></script>
<script src="/api/schema/page.js"></script>
</html>
"""
SCRIPT = """
SwaggerUIBundle({
  url: "/api/schema/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  persistAuthorization: true,
  requestInterceptor: (request) => {
    const token = document.cookie.match(/(?:^|; )(?:__Host-)?csrftoken=([^;]+)/);
    if (token && !/^(GET|HEAD)$/i.test(request.method ?? "GET")) request.headers["X-CSRFToken"] = token[1];
    return request;
  },
});
"""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)
DAY = "public, max-age=86400"


def _asset_folder() -> Path:
    """Where the Swagger UI package keeps its files; the package itself, a web framework's plugin, stays unimported."""
    spec = find_spec("swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package swagger-ui-py is not installed")
    return Path(spec.submodule_search_locations[0]) / "static"


class DocumentsController(Controller):
    path = "/api/schema"

    @get("/", guard=session_ignored, limit=RouteLimit.ANONYMOUS, media_type=MediaType.HTML, documented=False)
    async def page(self) -> Response[str]:
        return Response(PAGE, media_type=MediaType.HTML, headers={"Content-Security-Policy": PAGE_POLICY})

    @get("/page.js", guard=session_ignored, limit=RouteLimit.ANONYMOUS, documented=False)
    async def script(self) -> Response[str]:
        return Response(SCRIPT, media_type="text/javascript", headers={"Cache-Control": DAY})

    @get("/openapi.json", guard=session_ignored, limit=RouteLimit.ANONYMOUS, documented=False)
    async def document(self, request: AnyRequest) -> Response[bytes]:
        document = state_of(request.app).document()
        return Response(document, media_type=MediaType.JSON, headers={"Cache-Control": "no-cache"})

    @get("/assets/{name:str}", guard=session_ignored, limit=RouteLimit.ANONYMOUS, documented=False)
    async def asset(self, name: FromPath[str]) -> File:
        if name not in ASSETS:
            raise NotFoundException
        return File(
            _asset_folder() / name,
            filename=name,
            media_type=ASSETS[name],
            content_disposition_type="inline",
            headers={"Cache-Control": DAY},
        )
