from typing import Protocol


class Secrets(Protocol):
    def token(self) -> str:
        """A new URL-safe secret with 256 bits of entropy from the operating system."""
        ...

    def suffix(self) -> str:
        """Six random lower-case letters or digits, to make names unique; not a secret."""
        ...
