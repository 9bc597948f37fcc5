"""Files that are something else as well: a picture for one program, an archive or a page for another."""

import re
import zipfile
from io import BytesIO

from core.ports.images import NotAnImage

_PDF = re.compile(rb"%PDF-\d")
_PDF_WITHIN = 1024
"""Bytes from the start within which readers look for a PDF's header (ISO 32000-1, annex H, 3.4.1)."""
# Each is long enough not to come up by chance in the megabytes of a phone's video or depth map.
_FOREIGN = re.compile(
    rb"PK\x03\x04[\x00-\x3f]\x00|PK\x05\x06\x00\x00\x00\x00|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c"
    rb"|%PDF-\d|__HALT_COMPILER|(?i:<\?php|<!doctype\s+html|<(?:html|body|script|iframe))[\s>(]"
)


def refuse_foreign(data: bytes, end: int, metadata: list[bytes]) -> None:
    """Raises NotAnImage where the file is also a ZIP, RAR, 7z, PDF, HTML or PHP.

    In the picture's metadata, behind its end, or over all of it as the readers of ZIP and PDF look for theirs.
    """
    tail = data[end:]
    if _PDF.search(data[:_PDF_WITHIN]) or any(_FOREIGN.search(part) for part in (*metadata, tail)):
        raise NotAnImage("it is another kind of file as well")
    if _is_archive(data) or (tail and _is_archive(data[:end])):
        raise NotAnImage("it is an archive as well")


def _is_archive(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return bool(archive.namelist())
    except Exception:  # hostile files make readers fail in any way
        return False
