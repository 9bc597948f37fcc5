"""Files that failed when fuzzing are kept in the corpus."""

from hashlib import sha256
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def files(kind: str) -> list[Path]:
    return sorted((CORPUS / kind).iterdir())


def keep(kind: str, content: bytes) -> Path:
    path = CORPUS / kind / sha256(content).hexdigest()[:16]
    path.write_bytes(content)
    return path
