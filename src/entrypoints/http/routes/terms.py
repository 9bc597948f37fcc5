import msgspec
from litestar import Controller, Response

from core.styles.model import License
from entrypoints.http.envelope import Success
from entrypoints.http.errors import AnyRequest
from entrypoints.http.languages import catalogue_for
from entrypoints.http.operation import RouteLimit, get
from entrypoints.http.security.access import session_ignored


class LicenseText(msgspec.Struct, frozen=True):
    type: str
    text: str
    """What it permits."""


class TermsView(msgspec.Struct, frozen=True):
    version: int
    rights: str
    """What an artist affirms about the images of a style."""
    licenses: list[LicenseText]


class TermsController(Controller):
    path = "/api/terms"
    tags = ("Terms",)

    @get(
        "/",
        guard=session_ignored,
        limit=RouteLimit.ANONYMOUS,
        summary="List versions of the terms",
        description="Newest first: the first is in force, the others apply to earlier generations.",
    )
    async def versions(self, request: AnyRequest) -> Response[Success[list[TermsView]]]:
        by_version = catalogue_for(request.headers.get("accept-language")).terms
        shown = Success(
            data=[
                TermsView(
                    version,
                    texts["rights"],
                    [LicenseText(license.value, texts[license.value]) for license in License],
                )
                for version, texts in sorted(by_version.items(), reverse=True)
            ]
        )
        return Response(shown, headers={"Vary": "Accept-Language"})
