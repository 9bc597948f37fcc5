"""Identifiers of the things the domain speaks of. Numbers say nothing of order: that is `(created_at, id)`."""

from typing import NewType

MAX_ID = 2**63 - 1
"""No identifier is larger: stores keep them in 64 bits. The smallest is 1."""

UserId = NewType("UserId", int)
StyleId = NewType("StyleId", int)
ArtworkId = NewType("ArtworkId", int)
GenerationId = NewType("GenerationId", int)
CommentId = NewType("CommentId", int)
TagId = NewType("TagId", int)
NotificationId = NewType("NotificationId", int)
TransferId = NewType("TransferId", int)
HoldId = NewType("HoldId", int)
"""The identifier of the transfer that put tokens on hold."""
WithdrawalId = NewType("WithdrawalId", int)
TaskId = NewType("TaskId", str)
"""A UUID in its canonical text form."""
OrderId = NewType("OrderId", str)
"""Names a purchase to the payment provider: 6 to 64 letters, digits, hyphens and underscores that nobody can guess."""
