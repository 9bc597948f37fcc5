from collections.abc import Callable, MutableMapping
from typing import TypeVar

import msgspec

from adapters.memory.tables import Tables, Uses
from adapters.memory.transaction import MemoryTransaction
from core.account_deletion.repository import PersonalData, Removed
from core.generations.model import Generation, Status
from core.identifiers import CommentId, GenerationId, UserId
from core.ports import changes
from core.reports.model import Report, TargetType
from core.withdrawals.model import WithdrawalStatus

Key = TypeVar("Key")
Row = TypeVar("Row")


class MemoryPersonalData(PersonalData):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def revoke_access(self, user_id: UserId) -> None:
        for session in _of(self._transaction.tables.sessions, lambda session: session.user_id == user_id):
            self._transaction.notify_after_commit(changes.session(session.token_hash))
        self._transaction.write(lambda tables: _remove(tables.sessions, lambda _, session: session.user_id == user_id))

    async def withdrawal_pending(self, user_id: UserId) -> bool:
        return any(
            withdrawal.artist_id == user_id and withdrawal.status is WithdrawalStatus.PENDING
            for withdrawal in self._transaction.tables.withdrawals.values()
        )

    async def unended_images(self, user_id: UserId, *, limit: int) -> list[GenerationId]:
        return [image.id for image in _images(self._transaction.tables, user_id) if not image.status.ended][:limit]

    async def remove_likes(self, user_id: UserId, *, limit: int) -> int:
        liked = sorted(image_id for image_id, by in self._transaction.tables.likes if by == user_id)[:limit]
        await self._lock("generation", *liked)
        return self._transaction.write(
            lambda tables: _remove(tables.likes, lambda key, _: key[1] == user_id, limit=limit)
        )

    async def remove_comments(self, user_id: UserId, *, limit: int) -> int:
        comment_ids = _comments_of(self._transaction.tables, user_id)[:limit]
        comments = self._transaction.tables.comments
        await self._lock("generation", *sorted({comments[comment_id].generation_id for comment_id in comment_ids}))

        def operation(tables: Tables) -> int:
            removed = _comments_of(tables, user_id)[:limit]
            _remove(tables.comments, lambda key, comment: key in removed or comment.parent_id in removed)
            return len(removed)

        return self._transaction.write(operation)

    async def remove_follows(self, user_id: UserId, *, limit: int) -> int:
        followed = {pair[1] for pair in self._transaction.tables.follows if user_id in pair}
        await self._lock("user", *sorted(followed))
        return self._transaction.write(
            lambda tables: _remove(tables.follows, lambda pair, _: user_id in pair, limit=limit)
        )

    async def remove_notifications(self, user_id: UserId, *, limit: int) -> int:
        def operation(tables: Tables) -> int:
            named = [
                kept.notification
                for kept in tables.notifications.values()
                if user_id in (kept.notification.recipient, kept.notification.actor)
            ][:limit]
            for notification in named:
                del tables.notifications[notification.id]
                del tables.reasons[notification.recipient, notification.reason]
            return len(named)

        return self._transaction.write(operation)

    async def remove_answers(self, user_id: UserId, *, limit: int) -> int:
        return self._transaction.write(
            lambda tables: _remove(tables.answers, lambda key, _: key[0] == user_id, limit=limit)
        )

    async def remove_reports(self, user_id: UserId, *, limit: int) -> int:
        def operation(tables: Tables) -> int:
            removed = _remove(tables.reports, lambda _, report: _is_of_person(report, user_id), limit=limit)
            by = _of(tables.reports, lambda report: report.reporter_id == user_id)[:limit]
            for report in by:
                tables.reports[report.id] = msgspec.structs.replace(report, reporter_id=None, text=None)
            return max(removed, len(by))

        return self._transaction.write(operation)

    async def remove_reports_of_works(self, user_id: UserId, *, limit: int) -> int:
        return self._transaction.write(
            lambda tables: _remove(tables.reports, lambda _, report: report.owner_id == user_id, limit=limit)
        )

    async def used_by_others(self, user_id: UserId) -> bool:
        styles = [style.id for style in _of(self._transaction.tables.styles, lambda style: style.artist_id == user_id)]
        return any(
            image.style_id in styles and image.owner_id != user_id
            for image in self._transaction.tables.generations.values()
        )

    async def remove_images(self, user_id: UserId, *, limit: int) -> Removed:
        images = [image for image in _images(self._transaction.tables, user_id) if image.status.ended][:limit]
        ids = {image.id for image in images}
        await self._lock("generation", *sorted(ids))

        def operation(tables: Tables) -> None:
            _remove(tables.likes, lambda key, _: key[0] in ids)
            _remove(tables.comments, lambda _, comment: comment.generation_id in ids)
            for image in images:
                if tables.generations.pop(image.id, None) and image.status is Status.COMPLETED:
                    past = tables.past_uses.get(image.style_id, Uses())
                    tables.past_uses[image.style_id] = Uses(past.images + 1, past.tokens + image.earned_tokens)

        self._transaction.write(operation)
        return Removed(len(images), sorted({key for image in images for key in _objects(image)}))

    async def remove_user(self, user_id: UserId, *, identity: bytes) -> bool:
        await self._lock("user", user_id)

        def operation(tables: Tables) -> bool:
            if _is_referenced(tables, user_id):
                return False
            user = tables.users.pop(user_id)
            del tables.identities[user.provider, user.subject], tables.usernames[user.username]
            tables.artists.pop(user_id, None)
            _remove(tables.artist_names, lambda _, artist_id: artist_id == user_id)
            tables.portfolios.pop(user_id, None)
            _remove(tables.artwork_uploads, lambda _, upload: upload.artist_id == user_id)
            _remove(tables.sessions, lambda _, session: session.user_id == user_id)
            _remove(tables.answers, lambda key, _: key[0] == user_id)
            tables.erased[identity] = None
            return True

        return self._transaction.write(operation)

    async def _lock(self, kind: str, *ids: int) -> None:
        for number in ids:
            await self._transaction.lock(kind, number)


def _of(rows: MutableMapping[Key, Row], wanted: Callable[[Row], bool]) -> list[Row]:
    return [row for row in rows.values() if wanted(row)]


def _remove(rows: MutableMapping[Key, Row], removed: Callable[[Key, Row], bool], *, limit: int | None = None) -> int:
    keys = [key for key, row in rows.items() if removed(key, row)][:limit]
    for key in keys:
        del rows[key]
    return len(keys)


def _images(tables: Tables, user_id: UserId) -> list[Generation]:
    return _of(tables.generations, lambda image: image.owner_id == user_id)


def _comments_of(tables: Tables, user_id: UserId) -> list[CommentId]:
    """Comments of the user, preceded by replies to them."""
    own = [comment.id for comment in tables.comments.values() if comment.author_id == user_id]
    return [comment.id for comment in tables.comments.values() if comment.parent_id in own] + own


def _is_of_person(report: Report, user_id: UserId) -> bool:
    return report.owner_id == user_id and report.target.type in (TargetType.COMMENT, TargetType.USER)


def _objects(image: Generation) -> list[str]:
    late = image.metadata.get("late_result")
    late_key = late.get("result_key") if isinstance(late, dict) else None
    return [key for key in (image.result_key, image.public_key, late_key) if key is not None]


def _is_referenced(tables: Tables, user_id: UserId) -> bool:
    return (
        any(by == user_id for _, by in tables.likes)
        or any(user_id in pair for pair in tables.follows)
        or any(comment.author_id == user_id for comment in tables.comments.values())
        or any(
            user_id in (kept.notification.recipient, kept.notification.actor) for kept in tables.notifications.values()
        )
        or any(user_id in (report.reporter_id, report.owner_id) for report in tables.reports.values())
        or bool(_images(tables, user_id))
        or any(style.artist_id == user_id for style in tables.styles.values())
    )
