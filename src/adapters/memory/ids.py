from uuid import uuid4

from adapters.memory.database import MemoryDatabase
from core.identifiers import (
    ArtworkId,
    CommentId,
    GenerationId,
    HoldId,
    NotificationId,
    ReportId,
    SessionId,
    StyleId,
    TaskId,
    UploadId,
    UserId,
    VersionId,
    WithdrawalId,
)
from core.ports.ids import Ids


class MemoryIds(Ids):
    """Ids count from 1, except task ids."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def user(self) -> UserId:
        return UserId(self._database.next("user"))

    async def style(self) -> StyleId:
        return StyleId(self._database.next("style"))

    async def version(self) -> VersionId:
        return VersionId(self._database.next("style"))

    async def artwork(self) -> ArtworkId:
        return ArtworkId(self._database.next("artwork"))

    async def generation(self) -> GenerationId:
        return GenerationId(self._database.next("generation"))

    async def hold(self) -> HoldId:
        return HoldId(self._database.next("transfer"))

    async def comment(self) -> CommentId:
        return CommentId(self._database.next("comment"))

    async def withdrawal(self) -> WithdrawalId:
        return WithdrawalId(self._database.next("withdrawal"))

    async def report(self) -> ReportId:
        return ReportId(self._database.next("report"))

    async def notification(self) -> NotificationId:
        return NotificationId(self._database.next("notification"))

    async def session(self) -> SessionId:
        return SessionId(self._database.next("session"))

    async def upload(self) -> UploadId:
        return UploadId(self._database.next("upload"))

    def task(self) -> TaskId:
        return TaskId(str(uuid4()))
