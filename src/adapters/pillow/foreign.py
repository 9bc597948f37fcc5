"""Detection of polyglot files: an image for one program, an archive or a page for another."""

import re
import zipfile
from io import BytesIO

from core.ports.images import NotAnImage

_PDF = re.compile(rb"%PDF-\d")
_PDF_WITHIN = 1024
"""Bytes from the start within which readers look for a PDF's header (ISO 32000-1, annex H, 3.4.1)."""
# Each is long enough not to occur by chance in the megabytes of a phone's video or depth map.
_FOREIGN = re.compile(
    rb"PK\x03\x04[\x00-\x3f]\x00|PK\x05\x06\x00\x00\x00\x00|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c"
    rb"|%PDF-\d|__HALT_COMPILER|(?i:<\?php|<!doctype\s+html|<(?:html|body|script|iframe))[\s>(]"
)


def refuse_foreign(data: bytes, end: int, metadata: list[bytes]) -> None:
    """Raises NotAnImage if the file is also a ZIP, RAR, 7z, PDF, HTML or PHP.

    Checks the image's metadata and its trailing data, and for ZIP and PDF the places where their readers look.
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
