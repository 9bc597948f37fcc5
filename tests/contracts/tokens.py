"""What the tests of tokens share."""

from core.accounts.model import User
from core.generations.model import Generation
from core.paging import Page, PageRequest
from core.purchases.model import Purchase
from core.tasks.outcome import Failure
from core.tokens.views import TransactionFilter, TransactionLine
from tests.contracts.overlap import Work
from tests.support.scope import Scope
from tests.support.world import World


async def a_queued_generation(world: World, *, tokens: int = 100) -> tuple[User, Generation]:
    """Its buyer, and an image for 30 tokens."""
    buyer = await world.user("buyer", tokens=tokens)
    return buyer, await world.generation(buyer, await world.style(await world.artist("mia")))


def completing(generation: Generation, world: World) -> Work:
    async def work(ports: Scope) -> None:
        at = world.clock.now()
        await ports.ledger.post(generation.hold_id, at=at)
        key = f"generations/gen-{generation.id}.png"
        await ports.generations.save(generation.complete(at=at, result_key=key, metadata={}))

    return work


def giving_up(generation: Generation, world: World) -> Work:
    async def work(ports: Scope) -> None:
        at = world.clock.now()
        await ports.ledger.void(generation.hold_id, at=at)
        await ports.generations.save(generation.fail(at=at, failure=Failure("GENERATION_ERROR", "No.")))

    return work


async def transactions(
    world: World, user: User, type: TransactionFilter = TransactionFilter.ALL
) -> Page[TransactionLine]:
    return await world.read.tokens.transactions(user.id, type=type, page=PageRequest())


async def sound(world: World) -> bool:
    """Whether the ledger reconciles."""
    return all(not finding.broken for finding in await world.books.examine())


async def taking_back(world: World, purchase: Purchase) -> Work:
    """The charge-back of a payment that was cancelled at the provider."""
    payment = await world.payments.payment_of(purchase.order_id)
    assert payment is not None

    async def work(ports: Scope) -> None:
        before = await ports.purchases.of_order(purchase.order_id, lock=True)
        after = before.apply(payment, at=world.clock.now())
        await ports.purchases.save(after)
        transfer = after.charge_back(before, at=world.clock.now())
        assert transfer is not None
        await ports.ledger.transfer(transfer)

    return work
