from dataclasses import dataclass
from typing import Annotated

import msgspec

from core import tags
from core.errors import ValidationError
from core.generations.errors import PriceChanged
from core.generations.model import MAX_DESCRIPTION, MAX_PROMPT_TAGS, MAX_SEED, AspectRatio, Generation
from core.generations.repository import Generations
from core.generations.task import task_for
from core.generations.views import GenerationsReader, QueuePlace, RequestedGeneration
from core.identifiers import MAX_ID, StyleId, UserId
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.database import DatabaseUnavailable
from core.ports.ids import Ids
from core.ports.task_queue import TaskQueue
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.problems import wrong_count, wrong_number
from core.styles.repository import Styles
from core.tasks.model import WebhookBase
from core.terms import TERMS_VERSION
from core.text import parse_free_text, problem_of_free_text
from core.tokens.model import Hold, TransferKind, earnings, wallet


class NewGeneration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    style_id: Annotated[StyleId, msgspec.Meta(ge=1, le=MAX_ID)]
    prompt_tags: list[str]
    description: str | None = None
    aspect_ratio: AspectRatio = AspectRatio.SQUARE
    seed: int | None = None
    expected_price: int | None = None
    """In tokens: another price is refused."""


@dataclass(frozen=True, slots=True)
class RequestGeneration:
    """Hold the price and queue a generation, atomically."""

    styles: Styles
    generations: Generations
    ledger: TokenLedger
    queue: TaskQueue
    reader: GenerationsReader
    blobs: BlobStore
    transaction: Transaction
    ids: Ids
    clock: Clock
    webhooks: WebhookBase

    async def __call__(self, requester: UserId, new: NewGeneration) -> RequestedGeneration:
        new, prompt_tags = _parsed(new)
        async with self.transaction:
            now = self.clock.now()
            offer = await self.styles.offer(new.style_id)
            offer.check_usable(requester, at=now)
            if new.expected_price not in (None, offer.generation_cost_tokens):
                raise PriceChanged(offer.generation_cost_tokens)
            generation = Generation(
                id=await self.ids.generation(),
                owner_id=requester,
                style_id=offer.style_id,
                artist_id=offer.artist_id,
                consumed_tokens=offer.generation_cost_tokens,
                license_type=offer.license_type,
                license_version=TERMS_VERSION,
                style_version=offer.version,
                hold_id=await self.ids.hold(),
                aspect_ratio=new.aspect_ratio,
                seed=new.seed,
                prompt_tags=prompt_tags,
                description=new.description,
                task_id=self.ids.task(),
                created_at=now,
                updated_at=now,
            )
            await self.ledger.hold(_hold_for(generation))
            await self.generations.add(generation)
            signature = self.blobs.uri(offer.signature_key)
            await self.queue.put(task_for(generation, offer, at=now, signature=signature, webhooks=self.webhooks))
        return RequestedGeneration(
            id=generation.id,
            user_id=generation.owner_id,
            style_id=generation.style_id,
            style_version=generation.style_version,
            status=generation.status.value,
            consumed_tokens=generation.consumed_tokens,
            aspect_ratio=generation.aspect_ratio.value,
            created_at=generation.created_at,
            progress=None,
            queue=await self._place(),
        )

    async def _place(self) -> QueuePlace | None:
        """The queue place; None if the database is unavailable: the committed request must not appear failed."""
        try:
            return await self.reader.last_in_queue()
        except DatabaseUnavailable:
            return None


def _parsed(new: NewGeneration) -> tuple[NewGeneration, list[str]]:
    """The request with normalized text, and the tags of its prompt. Raises ValidationError or InvalidTagLanguage."""
    problems = {}
    if new.description is not None:
        new = msgspec.structs.replace(new, description=parse_free_text(new.description))
    if not 1 <= len(new.prompt_tags) <= MAX_PROMPT_TAGS:
        problems["prompt_tags"] = wrong_count(1, MAX_PROMPT_TAGS)
    if problem := problem_of_free_text(new.description or "", limit=MAX_DESCRIPTION):
        problems["description"] = problem
    if new.seed is not None and not 0 <= new.seed <= MAX_SEED:
        problems["seed"] = wrong_number(0, MAX_SEED)
    if problems:
        raise ValidationError(**problems)
    return new, tags.normalize_tags(new.prompt_tags, field="prompt_tags")


def _hold_for(generation: Generation) -> Hold:
    return Hold(
        id=generation.hold_id,
        reference=f"generation:{generation.id}",
        kind=TransferKind.GENERATION,
        debit=wallet(generation.owner_id),
        credit=earnings(generation.artist_id),
        amount=generation.consumed_tokens,
        at=generation.created_at,
        generation_id=generation.id,
    )
