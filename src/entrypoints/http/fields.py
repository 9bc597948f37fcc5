"""The header fields of a request."""

from collections.abc import Mapping

from litestar.types import Scope

_FIELDS = "fields"


def keep_fields(scope: Scope, fields: Mapping[bytes, bytes]) -> None:
    """For `fields_of`, in the request's state."""
    scope["state"][_FIELDS] = fields


def fields_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The fields by their names in lower case, lines with the same name joined."""
    fields: Mapping[bytes, bytes] = scope["state"][_FIELDS]
    return fields
