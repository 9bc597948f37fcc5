from core.errors import InvalidCursor
from core.identifiers import UserId
from core.ports.identity_provider import SignInFailed
from core.requester import Requester, Role


def test_a_foreign_cursor_is_an_invalid_field() -> None:
    assert (InvalidCursor().code, set(InvalidCursor().details or {})) == ("VALIDATION_ERROR", {"cursor"})


def test_a_failed_sign_in_has_a_reason() -> None:
    failed = SignInFailed("invalid_code")

    assert (failed.reason, failed.details) == ("invalid_code", {"reason": "invalid_code"})
    assert str(failed) == "SIGN_IN_FAILED: invalid_code"


def test_the_admin_check_accepts_admins_only() -> None:
    admins = [role for role in Role if Requester(UserId(1), role, is_artist=False).is_admin]

    assert admins == [Role.ADMIN]
