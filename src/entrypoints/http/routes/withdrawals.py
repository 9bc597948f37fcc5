from typing import Annotated

import msgspec
from dishka import FromDishka
from litestar import Controller, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody
from msgspec import Meta

from core.audit.model import MAX_REASON, Operator
from core.identifiers import WithdrawalId
from core.requester import Requester
from core.tokens.errors import DebtOutstanding, InsufficientTokens
from core.tokens.model import MAX_AMOUNT
from core.withdrawals.errors import OwnWithdrawal, WithdrawalEnded, WithdrawalNotFound, WithdrawalPending
from core.withdrawals.model import WithdrawalStatus
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from core.withdrawals.views import WithdrawalSources, WithdrawalsReader, WithdrawalToSettle, WithdrawalView
from entrypoints.http.envelope import Success
from entrypoints.http.operation import get, post
from entrypoints.http.paging import Paging, Results
from entrypoints.http.params import PathId
from entrypoints.http.security.access import admin, artist


class NewWithdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    amount: Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]


class Rejection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(min_length=1, max_length=MAX_REASON)]


class WithdrawalsController(Controller):
    path = "/api/tokens/withdrawals"
    tags = ("Tokens",)

    @post(
        "/",
        guard=artist,
        refusals=(InsufficientTokens, DebtOutstanding, WithdrawalPending),
        summary="Create a withdrawal",
    )
    async def request(
        self,
        data: JSONBody[NewWithdrawal],
        requester: NamedDependency[Requester],
        request_withdrawal: FromDishka[RequestWithdrawal],
    ) -> Response[Success[WithdrawalView]]:
        requested = await request_withdrawal(requester.id, data.amount)
        location = f"/api/tokens/withdrawals/{requested.id}"
        return Response(Success(data=requested), headers={"Location": location})

    @get("/", guard=artist, summary="List my withdrawals")
    async def list_own(
        self,
        requester: NamedDependency[Requester],
        paging: NamedDependency[Paging],
        withdrawals: FromDishka[WithdrawalsReader],
    ) -> Success[Results[WithdrawalView]]:
        page = await withdrawals.list_own(requester.id, page=paging.request("withdrawals"))
        return Success(data=paging.results("withdrawals", page))

    @get("/{withdrawal_id:int}", guard=artist, refusals=(WithdrawalNotFound,), summary="Get a withdrawal")
    async def state(
        self,
        withdrawal_id: PathId[WithdrawalId],
        requester: NamedDependency[Requester],
        withdrawals: FromDishka[WithdrawalsReader],
    ) -> Success[WithdrawalView]:
        return Success(data=await withdrawals.of_owner(requester.id, withdrawal_id))


class WithdrawalsToSettleController(Controller):
    path = "/api/admin/withdrawals"
    tags = ("Admin",)

    @get("/", guard=admin, summary="List withdrawals")
    async def list(
        self,
        paging: NamedDependency[Paging],
        withdrawals: FromDishka[WithdrawalsReader],
        status: FromQuery[WithdrawalStatus | None] = None,
    ) -> Success[Results[WithdrawalToSettle]]:
        page = await withdrawals.list(status=status, page=paging.request("admin-withdrawals"))
        return Success(data=paging.results("admin-withdrawals", page))

    @get(
        "/{withdrawal_id:int}/sources",
        guard=admin,
        refusals=(WithdrawalNotFound,),
        summary="Get the sources of a withdrawal",
        description="What the artist had earned by then, by source, and the largest payers.",
    )
    async def sources(
        self, withdrawal_id: PathId[WithdrawalId], withdrawals: FromDishka[WithdrawalsReader]
    ) -> Success[WithdrawalSources]:
        return Success(data=await withdrawals.sources(withdrawal_id))

    @post(
        "/{withdrawal_id:int}/settle",
        guard=admin,
        refusals=(WithdrawalNotFound, WithdrawalEnded, OwnWithdrawal, DebtOutstanding),
        summary="Mark a withdrawal as paid",
        status=200,
    )
    async def settle(
        self,
        withdrawal_id: PathId[WithdrawalId],
        operator: NamedDependency[Operator],
        settle_withdrawal: FromDishka[SettleWithdrawal],
    ) -> Success[None]:
        await settle_withdrawal(operator, withdrawal_id)
        return Success(data=None)

    @post(
        "/{withdrawal_id:int}/reject",
        guard=admin,
        refusals=(WithdrawalNotFound, WithdrawalEnded, OwnWithdrawal),
        summary="Reject a withdrawal",
        description="The artist's held tokens are released.",
        status=200,
    )
    async def reject(
        self,
        withdrawal_id: PathId[WithdrawalId],
        data: JSONBody[Rejection],
        operator: NamedDependency[Operator],
        reject_withdrawal: FromDishka[RejectWithdrawal],
    ) -> Success[None]:
        await reject_withdrawal(operator, withdrawal_id, reason=data.reason)
        return Success(data=None)
