import re

import core.accounts.errors
import core.generations.errors
import core.notifications.errors
import core.styles.errors
import core.tokens.errors
from core.errors import DomainError, InvalidCursor
from core.identifiers import UserId
from core.ports.identity_provider import SignInFailed
from core.requester import Requester, Role

MODULES = (
    core.accounts.errors,
    core.generations.errors,
    core.notifications.errors,
    core.styles.errors,
    core.tokens.errors,
)


def test_every_refusal_has_a_code_and_a_message_of_its_own() -> None:
    refusals = [
        found
        for module in MODULES
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, DomainError) and found.__module__ == module.__name__
    ]

    assert len(refusals) > 20
    for refusal in refusals:
        if "code" in vars(refusal):
            assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", refusal.code)
            assert "message" in vars(refusal)
            assert refusal.message.endswith(".")


def test_a_cursor_of_somebody_elses_is_a_field_that_is_not_valid() -> None:
    assert (InvalidCursor().code, set(InvalidCursor().details or {})) == ("VALIDATION_ERROR", {"cursor"})


def test_a_sign_in_that_failed_says_why() -> None:
    failed = SignInFailed("invalid_code")

    assert (failed.reason, failed.details) == ("invalid_code", {"reason": "invalid_code"})


def test_only_admins_are_admins() -> None:
    admins = [role for role in Role if Requester(UserId(1), role, is_artist=False).is_admin]

    assert admins == [Role.ADMIN]
