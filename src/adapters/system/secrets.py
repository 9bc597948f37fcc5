import secrets
import string

from core.ports.secrets import Secrets

_ALPHABET = string.ascii_lowercase + string.digits


class SystemSecrets(Secrets):
    def token(self) -> str:
        return secrets.token_urlsafe(32)

    def suffix(self) -> str:
        return "".join(secrets.choice(_ALPHABET) for _ in range(6))
