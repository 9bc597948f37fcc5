import msgspec


class Effect(msgspec.Struct, frozen=True):
    """What an action has changed: the fields before and after, for the audit log."""

    before: dict[str, object] = {}
    after: dict[str, object] = {}
    discarded: list[str] = []
    """Keys of objects to delete after the commit."""
