"""Identifiers. Numeric ids imply no order; rows are ordered by `(created_at, id)`."""

from typing import NewType

MAX_ID = 2**63 - 1
"""The largest identifier (stores use signed 64-bit integers). The smallest is 1."""

UserId = NewType("UserId", int)
StyleId = NewType("StyleId", int)
VersionId = NewType("VersionId", int)
"""Of a version of a style, among all styles. What the AI servers call `style_id`; version 1 has the id of its style."""
ArtworkId = NewType("ArtworkId", int)
GenerationId = NewType("GenerationId", int)
CommentId = NewType("CommentId", int)
TagId = NewType("TagId", int)
NotificationId = NewType("NotificationId", int)
TransferId = NewType("TransferId", int)
HoldId = NewType("HoldId", int)
"""The id of the transfer that opened the hold."""
WithdrawalId = NewType("WithdrawalId", int)
ReportId = NewType("ReportId", int)
SessionId = NewType("SessionId", int)
UploadId = NewType("UploadId", int)
TaskId = NewType("TaskId", str)
"""A UUID in its canonical text form."""
OrderId = NewType("OrderId", str)
"""The payment provider's order id: 6 to 64 letters, digits, hyphens and underscores, unguessable."""
