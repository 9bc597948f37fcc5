from datetime import date, timedelta
from typing import Annotated

from dishka import FromDishka
from litestar import Controller
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from core.errors import ValidationError
from core.ports.clock import Clock
from core.requester import Requester
from core.tokens.model import PayoutTerms
from core.tokens.views import Balance, Earnings, EarningsGroup, TokensReader, TransactionFilter, TransactionLine
from entrypoints.http.envelope import Success
from entrypoints.http.operation import get
from entrypoints.http.paging import Paging, Results
from entrypoints.http.params import time_zone
from entrypoints.http.problems import wrong_period
from entrypoints.http.security.access import artist, signed_in

DAYS, MAX_DAYS = 30, 366
FIRST_DAY = f"The first day; {DAYS} days in all when it is left out."
LAST_DAY = "The last day; today when it is left out."
ZONE = "The time zone of these days and of those in the answer, as in the IANA database: `Asia/Seoul`."


class TokensController(Controller):
    path = "/api/tokens"
    tags = ("Tokens",)

    @get("/balance", guard=signed_in, summary="Get my token balance")
    async def balance(
        self,
        requester: NamedDependency[Requester],
        tokens: FromDishka[TokensReader],
        terms: FromDishka[PayoutTerms],
        clock: FromDishka[Clock],
    ) -> Success[Balance]:
        earned_until = terms.earned_until(clock.now())
        return Success(data=await tokens.balance(requester.id, earned_until=earned_until))

    @get("/transactions", guard=signed_in, summary="List my token transactions")
    async def transactions(
        self,
        requester: NamedDependency[Requester],
        paging: NamedDependency[Paging],
        tokens: FromDishka[TokensReader],
        type: FromQuery[TransactionFilter] = TransactionFilter.ALL,
    ) -> Success[Results[TransactionLine]]:
        page = await tokens.transactions(requester.id, type=type, page=paging.request("transactions"))
        return Success(data=paging.results("transactions", page))

    @get("/earnings", guard=artist, summary="Get my earnings")
    async def earnings(
        self,
        requester: NamedDependency[Requester],
        tokens: FromDishka[TokensReader],
        clock: FromDishka[Clock],
        since: Annotated[date | None, QueryParameter(name="from", description=FIRST_DAY)] = None,
        until: Annotated[date | None, QueryParameter(name="to", description=LAST_DAY)] = None,
        group_by: FromQuery[EarningsGroup] = EarningsGroup.DAY,
        tz: Annotated[str, QueryParameter(description=ZONE)] = "UTC",
    ) -> Success[Earnings]:
        last = until or clock.now().astimezone(time_zone(tz)).date()
        first = since or max(last, date.min + timedelta(days=DAYS - 1)) - timedelta(days=DAYS - 1)
        if not timedelta() <= last - first < timedelta(days=MAX_DAYS):
            raise ValidationError(**{"from": wrong_period(MAX_DAYS)})
        return Success(data=await tokens.earnings(requester.id, first=first, last=last, group=group_by, zone=tz))
