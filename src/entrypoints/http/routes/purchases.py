from typing import Annotated

import msgspec
from dishka import FromDishka
from litestar import Controller, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from core.identifiers import OrderId
from core.ports.payment_provider import PaymentsUnavailable
from core.purchases.errors import InvalidPackage, NotRefundable, PurchaseNotFound
from core.purchases.packages import PACKAGES, Package
from core.purchases.request_refund import RequestRefund
from core.purchases.start_purchase import StartPurchase
from core.purchases.views import PurchasesReader, PurchaseView, StartedPurchase
from core.requester import Requester
from entrypoints.http.envelope import Success
from entrypoints.http.operation import RouteLimit, get, post
from entrypoints.http.security.access import session_ignored, signed_in


class NewPurchase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The package alone: what it costs is not for the client to say."""

    package_id: Annotated[str, Meta(max_length=100)]


class PurchasesController(Controller):
    path = "/api/tokens"
    tags = ("Tokens",)

    @get("/packages", guard=session_ignored, limit=RouteLimit.ANONYMOUS, summary="List token packages")
    async def packages(self) -> Success[list[Package]]:
        return Success(data=PACKAGES)

    @post(
        "/purchase",
        guard=signed_in,
        refusals=(InvalidPackage, PaymentsUnavailable),
        summary="Create a purchase",
        description="The response has the URL of the payment page.",
    )
    async def purchase(
        self,
        data: JSONBody[NewPurchase],
        requester: NamedDependency[Requester],
        start_purchase: FromDishka[StartPurchase],
    ) -> Response[Success[StartedPurchase]]:
        started = await start_purchase(requester.id, data.package_id)
        location = f"/api/tokens/purchases/{started.order_id}"
        return Response(Success(data=started), headers={"Location": location})

    @get("/purchases/{order_id:str}", guard=signed_in, refusals=(PurchaseNotFound,), summary="Get a purchase")
    async def state(
        self,
        order_id: FromPath[OrderId],
        requester: NamedDependency[Requester],
        purchases: FromDishka[PurchasesReader],
    ) -> Success[PurchaseView]:
        return Success(data=await purchases.of_owner(requester.id, order_id))

    @post(
        "/purchases/{order_id:str}/refund",
        guard=signed_in,
        refusals=(PurchaseNotFound, NotRefundable),
        summary="Refund a purchase",
        description="The unrefunded rest, if none of it is spent. The money is paid back within minutes.",
        status=202,
    )
    async def refund(
        self,
        order_id: FromPath[OrderId],
        requester: NamedDependency[Requester],
        request_refund: FromDishka[RequestRefund],
    ) -> Success[PurchaseView]:
        return Success(data=await request_refund(requester.id, order_id))
