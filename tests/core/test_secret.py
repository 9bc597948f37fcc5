import copy
import json
import pickle
import re
import traceback

import msgspec
import pytest

from core.secret import Secret

TEXT = "correct-horse-battery-staple"


class Holder(msgspec.Struct):
    secret: Secret


def fail(secret: Secret, holder: Holder) -> None:
    raise ValueError(secret, holder)


def test_only_reveal_shows_a_secret() -> None:
    secret = Secret(TEXT)

    assert secret.reveal() == TEXT
    for shown in (repr(secret), str(secret), f"{secret}", repr(Holder(secret)), repr([secret])):
        assert "horse" not in shown


def test_tracebacks_do_not_show_a_secret() -> None:
    with pytest.raises(ValueError, match=re.escape("********")) as failed:
        fail(Secret(TEXT), Holder(Secret(TEXT)))

    traced = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
    assert "horse" not in "".join(traced.format())


@pytest.mark.parametrize("write", [msgspec.json.encode, msgspec.to_builtins, json.dumps, pickle.dumps, copy.copy])
def test_secrets_cannot_be_serialised_or_copied(write: object) -> None:
    assert callable(write)
    with pytest.raises(TypeError):
        write(Secret(TEXT))


def test_equal_texts_are_equal_secrets() -> None:
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret(f"{TEXT}!")
    assert Secret("비밀") == Secret("비밀")
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT)}) == 1
