"""Signatures (HMAC-SHA256) of what this service issues and has to recognize again: one signer for each purpose."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import itsdangerous
from itsdangerous.encoding import base64_decode, base64_encode

KEPT = 1000
"""The last signatures are kept: the same sessions ask again and again."""


class Signer:
    """What was signed for one purpose is not valid for another. Its key is derived once."""

    def __init__(self, secret: str, purpose: str) -> None:
        root = itsdangerous.Signer(secret, purpose, key_derivation="hmac", digest_method=sha256)
        self._signer = itsdangerous.Signer(root.derive_key(), key_derivation="none", digest_method=sha256)

        self._last = lru_cache(KEPT)(self._sign)

    def signature(self, text: str) -> str:
        """Deterministic and URL-safe."""
        return self._last(text)

    def _sign(self, text: str) -> str:
        return self._signer.get_signature(text).decode()

    def seal(self, payload: bytes, *, context: str = "") -> str:
        """The payload, readable but not changeable, as URL-safe text for this context alone."""
        encoded = base64_encode(payload).decode()
        return f"{encoded}.{self.signature(f'{context}.{encoded}')}"

    def unseal(self, text: str, *, context: str = "") -> bytes | None:
        """The payload that was sealed in this context; None for anything else."""
        encoded, _, signature = text.partition(".")
        if not text.isascii() or not self._signer.verify_signature(f"{context}.{encoded}", signature):
            return None
        return base64_decode(encoded)


@dataclass(frozen=True, slots=True)
class Signers:
    csrf: Signer
    cursors: Signer
    sign_in: Signer
    browser: Signer

    @classmethod
    def of(cls, secret: str) -> "Signers":
        return cls(
            csrf=Signer(secret, "csrf"),
            cursors=Signer(secret, "cursor"),
            sign_in=Signer(secret, "sign-in"),
            browser=Signer(secret, "browser"),
        )
