"""What this service hands out and must know again: signed, so that nobody can make it up."""

import base64
import hashlib
import hmac


class Signer:
    """Signs with one secret, apart for every purpose: what was signed for one is worth nothing for another."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def mac(self, purpose: str, payload: bytes) -> str:
        """A URL-safe HMAC-SHA256 of the payload."""
        return _text(self._digest(purpose, payload))

    def seal(self, purpose: str, payload: bytes) -> str:
        """The payload, readable but not changeable, as URL-safe text."""
        return f"{_text(payload)}.{self.mac(purpose, payload)}"

    def unseal(self, purpose: str, text: str) -> bytes | None:
        """The payload that was sealed for this purpose; None for anything else."""
        sealed, dot, mac = text.partition(".")
        if not dot or not text.isascii():
            return None
        try:
            payload = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except ValueError:
            return None
        genuine = hmac.compare_digest(self.mac(purpose, payload), mac)
        return payload if genuine and _text(payload) == sealed else None

    def _digest(self, purpose: str, payload: bytes) -> bytes:
        return hmac.digest(self._secret, purpose.encode() + b"\0" + payload, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
