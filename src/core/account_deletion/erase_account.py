from dataclasses import dataclass
from datetime import datetime

from core.account_deletion.repository import PersonalData
from core.accounts.model import User
from core.accounts.repository import Users
from core.accounts.sign_in import IdentityKey, identity_hash
from core.artwork_uploads.model import prefix as uploads_of
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.generations.repository import Generations
from core.identifiers import GenerationId, StyleId, UserId
from core.ports.blob_store import PUBLIC_PREFIX, BlobStore
from core.ports.clock import Clock
from core.ports.discarded_objects import DiscardedObjects
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.styles.delete_style import objects_of
from core.styles.errors import StyleNotFound, StyleUsed
from core.styles.repository import Styles, StyleVersions

BATCH = 500
"""Rows per transaction."""
MAX_ROUNDS = 100
"""Transactions per kind of data in one call."""


@dataclass(frozen=True, slots=True)
class EraseAccount:
    """Erase the personal data of a deleted account in several short transactions.

    An artist whose styles were used by others is kept as a name, together with the styles and images.

    Safe to repeat, also after a crash: each call continues where the data ends. Rows that concurrent calls still write
    are found by the next call; once the user's row is gone, none can be written.
    """

    users: Users
    personal_data: PersonalData
    generations: Generations
    styles: Styles
    versions: StyleVersions
    ledger: TokenLedger
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    blobs: BlobStore
    transaction: Transaction
    clock: Clock
    identity_key: IdentityKey

    async def __call__(self, user_id: UserId, *, until: datetime | None = None) -> bool:
        """Return whether everything is erased; False if rows are left for another call.

        No new round starts after `until`; a round is one transaction per kind of data.
        """
        for _ in range(MAX_ROUNDS):
            if await self._cleared(user_id) and await self._ended(user_id):
                return True
            if until is not None and self.clock.now() >= until:
                return False
        return False

    async def _cleared(self, user_id: UserId) -> bool:
        """Run one round; return whether it removed all that was left."""
        rows = [await self._abandon_images(user_id)]
        for remove in (
            self.personal_data.remove_likes,
            self.personal_data.remove_comments,
            self.personal_data.remove_follows,
            self.personal_data.remove_notifications,
            self.personal_data.remove_answers,
            self.personal_data.remove_reports,
        ):
            async with self.transaction:
                rows.append(await remove(user_id, limit=BATCH))
        return max(rows) < BATCH

    async def _abandon_images(self, user_id: UserId) -> int:
        async with self.transaction:
            unended = await self.personal_data.unended_images(user_id, limit=BATCH)
        for generation_id in unended:
            await self._abandon(generation_id)
        return len(unended)

    async def _abandon(self, generation_id: GenerationId) -> None:
        """End the generation and void its hold; later results from the AI servers are not paid."""
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            if generation.status.ended:
                return
            generation = generation.abandon(at=self.clock.now())
            await self.generations.save(generation)
            await self.ledger.void(generation.hold_id, at=generation.updated_at)

    async def _ended(self, user_id: UserId) -> bool:
        async with self.transaction:
            if await self.users.pending_deletion(user_id) is None:
                return True
            used = await self.personal_data.used_by_others(user_id)
        return await (self._deactivate(user_id) if used else self._remove(user_id))

    async def _deactivate(self, user_id: UserId) -> bool:
        objects = [_pictures(user_id)]
        async with self.transaction:
            user = await self.users.pending_deletion(user_id)
            if user is not None:
                await self.users.save(user.deactivate(at=self.clock.now()))
                await self.discarded.add(*objects)
        await self.delete_discarded.at_once(objects)
        return True

    async def _remove(self, user_id: UserId) -> bool:
        if await self._remove_images(user_id) or await self._remove_reports(user_id):
            return False
        async with self.transaction:
            styles = await self.styles.of_artist(user_id)
        try:
            for style in styles:
                await self._remove_style(style.id)
        except StyleUsed:  # used by a concurrent request
            return False
        return await self._remove_user(user_id)

    async def _remove_images(self, user_id: UserId) -> bool:
        """Return whether there were any images to remove."""
        async with self.transaction:
            removed = await self.personal_data.remove_images(user_id, limit=BATCH)
            if removed.objects:
                await self.discarded.add(*removed.objects)
        if removed.objects:
            await self.delete_discarded.at_once(removed.objects)
        return removed.rows > 0

    async def _remove_reports(self, user_id: UserId) -> bool:
        """Return whether there were any reports of the user's works to remove."""
        async with self.transaction:
            return await self.personal_data.remove_reports_of_works(user_id, limit=BATCH) > 0

    async def _remove_style(self, style_id: StyleId) -> None:
        async with self.transaction:
            try:
                style = await self.styles.of_id(style_id, lock=True)
            except StyleNotFound:
                return
            objects = objects_of(style, await self.versions.of_style(style_id), self.blobs)
            await self.styles.remove(style_id)
            await self.discarded.add(*objects)
        await self.delete_discarded.at_once(objects)

    async def _remove_user(self, user_id: UserId) -> bool:
        objects = [_pictures(user_id), f"signatures/{user_id}/", uploads_of(user_id)]
        async with self.transaction:
            user = await self.users.pending_deletion(user_id)
            if user is None:
                return True
            if not await self.personal_data.remove_user(user_id, identity=self._hash(user)):
                return False
            await self.discarded.add(*objects)
        await self.delete_discarded.at_once(objects)
        return True

    def _hash(self, user: User) -> bytes:
        return identity_hash(self.identity_key, user.provider, user.subject)


def _pictures(user_id: UserId) -> str:
    return f"{PUBLIC_PREFIX}profiles/{user_id}/"
