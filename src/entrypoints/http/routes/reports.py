from dishka import FromDishka
from litestar import Controller, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody

from core.accounts.errors import UserNotFound
from core.community.errors import CommentNotFound
from core.generations.errors import GenerationNotFound
from core.identifiers import ReportId
from core.reports.errors import AlreadyReported, ReportNotFound, SelfReportNotAllowed
from core.reports.submit_report import NewReport, SubmitReport
from core.reports.views import ReportsReader, ReportView
from core.requester import Requester
from core.styles.errors import StyleNotFound
from entrypoints.http.envelope import Success
from entrypoints.http.errors import AnyRequest
from entrypoints.http.middleware.idempotency import has_key
from entrypoints.http.operation import get, post
from entrypoints.http.params import PathId
from entrypoints.http.security.access import signed_in


class ReportsController(Controller):
    path = "/api/reports"
    tags = ("Reports",)

    @post(
        "/",
        guard=signed_in,
        refusals=(
            GenerationNotFound,
            StyleNotFound,
            CommentNotFound,
            UserNotFound,
            SelfReportNotAllowed,
            AlreadyReported,
        ),
        summary="Report an image, a style, a comment or a user",
        description="Once for each target. Neither its owner nor anybody else but admins learns who has reported it.",
    )
    async def submit(
        self,
        request: AnyRequest,
        data: JSONBody[NewReport],
        requester: NamedDependency[Requester],
        submit_report: FromDishka[SubmitReport],
        reports: FromDishka[ReportsReader],
    ) -> Response[Success[ReportView]]:
        report_id = await submit_report(requester.id, data, at_once=not has_key(request))
        report = await reports.of_reporter(requester.id, report_id)
        return Response(Success(data=report), headers={"Location": f"/api/reports/{report_id}"})

    @get("/{report_id:int}", guard=signed_in, refusals=(ReportNotFound,), summary="Get a report of mine")
    async def state(
        self,
        report_id: PathId[ReportId],
        requester: NamedDependency[Requester],
        reports: FromDishka[ReportsReader],
    ) -> Success[ReportView]:
        return Success(data=await reports.of_reporter(requester.id, report_id))
