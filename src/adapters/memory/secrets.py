from itertools import count

from core.ports.secrets import Secrets


class SequentialSecrets(Secrets):
    """Predictable tokens for reproducible runs. As long as real ones, and different within the first 16 characters."""

    def __init__(self) -> None:
        self._tokens = count(1)
        self._suffixes = count(1)

    def token(self) -> str:
        return f"token-{next(self._tokens):010d}".ljust(43, "-")

    def suffix(self) -> str:
        return f"{next(self._suffixes):06d}"
