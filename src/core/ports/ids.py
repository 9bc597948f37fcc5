from typing import Protocol

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


class Ids(Protocol):
    """Ids that are known before the row is written.

    Each is unique across all processes; unused ones are lost. Positive 64-bit integers, in no promised order.
    """

    async def user(self) -> UserId: ...

    async def style(self) -> StyleId: ...

    async def version(self) -> VersionId:
        """Of a version after the first. No style has it as its id."""
        ...

    async def artwork(self) -> ArtworkId: ...

    async def generation(self) -> GenerationId: ...

    async def hold(self) -> HoldId: ...

    async def comment(self) -> CommentId: ...

    async def withdrawal(self) -> WithdrawalId: ...

    async def report(self) -> ReportId: ...

    async def notification(self) -> NotificationId: ...

    async def session(self) -> SessionId: ...

    async def upload(self) -> UploadId: ...

    def task(self) -> TaskId:
        """A random UUID (RFC 9562, version 4)."""
        ...
