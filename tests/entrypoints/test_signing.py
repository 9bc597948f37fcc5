"""Signatures hold for one secret, one purpose and one context."""

import pytest

from entrypoints.http.security.signing import Signer

SECRET = "a-secret-of-the-service-for-tests"


@pytest.fixture
def signer() -> Signer:
    return Signer(SECRET, "cursor")


@pytest.mark.parametrize("payload", [b"", b"a", b'{"a": "\xea\xb0\x80"}', bytes(range(256))])
def test_a_sealed_payload_is_unsealed_by_every_process(signer: Signer, payload: bytes) -> None:
    sealed = signer.seal(payload, context="styles:recent")
    assert Signer(SECRET, "cursor").unseal(sealed, context="styles:recent") == payload
    assert sealed.isascii()
    assert sealed.replace("-", "").replace("_", "").replace(".", "").isalnum()


@pytest.mark.parametrize(
    "other", [Signer(SECRET, "sign-in"), Signer("another secret", "cursor")], ids=["purpose", "secret"]
)
def test_a_payload_of_another_signer_is_refused(signer: Signer, other: Signer) -> None:
    assert signer.unseal(other.seal(b"payload")) is None
    assert signer.signature("text") != other.signature("text")


def test_a_payload_is_sealed_for_its_context(signer: Signer) -> None:
    sealed = signer.seal(b"payload", context="comments:1")
    assert signer.unseal(sealed, context="comments:2") is None
    assert signer.unseal(sealed) is None


def test_a_tampered_payload_is_refused(signer: Signer) -> None:
    sealed = signer.seal(b"a payload")
    payload, _, signature = sealed.partition(".")
    changed = [payload[:at] + ("A" if letter != "A" else "B") + payload[at + 1 :] for at, letter in enumerate(payload)]
    for text in (*(f"{one}.{signature}" for one in changed), payload, f"{payload}.", f".{signature}", "", "é.é"):
        assert signer.unseal(text) is None, text


def test_a_signature_is_deterministic(signer: Signer) -> None:
    assert signer.signature("text") == Signer(SECRET, "cursor").signature("text")
    assert signer.signature("text") != signer.signature("test")
