from dishka.integrations.litestar import FromDishka
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from core.accounts.model import Requester
from core.tokens.views import Balance, TokensReader, TransactionFilter, TransactionLine
from entrypoints.http.access import signed_in
from entrypoints.http.envelope import Success
from entrypoints.http.paging import Paging, Results


class TokensController(Controller):
    path = "/api/tokens"
    tags = ("Tokens",)

    @get("/balance", guards=[signed_in], summary="My tokens")
    async def balance(
        self, requester: NamedDependency[Requester], tokens: FromDishka[TokensReader]
    ) -> Success[Balance]:
        return Success(data=await tokens.balance(requester.id))

    @get("/transactions", guards=[signed_in], summary="Every movement of my tokens")
    async def transactions(
        self,
        requester: NamedDependency[Requester],
        paging: NamedDependency[Paging],
        tokens: FromDishka[TokensReader],
        type: FromQuery[TransactionFilter] = TransactionFilter.ALL,
    ) -> Success[Results[TransactionLine]]:
        page = await tokens.transactions(requester.id, type=type, page=paging.request("transactions"))
        return Success(data=paging.results("transactions", page))
