"""Damaged multipart bodies."""

import re
from collections.abc import AsyncIterator
from random import Random

from core.errors import DomainError
from entrypoints.http import uploads
from entrypoints.http.body import PayloadTooLarge
from tests.fuzz.mutations import mutated

PARTS = uploads.Parts(
    texts=frozenset({"name", "tags"}), files=frozenset({"images"}), lists=frozenset({"tags"}), several=True
)
_LINES = re.compile(rb"--b(?:--)?|\r\n|[^\r\n]+")
_PIECES = (
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"--b",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b'Content-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n',
    b'Content-Disposition: form-data; name="tags"\r\n\r\n',
    b"Content-Disposition: form-data; name*=utf-8''n%61me\r\n\r\n",
    b"Content-Type: text/plain; charset=utf-16\r\n",
    b"Content-Length: 4\r\n",
    b'filename="\\"; name="tags"',
    b"\x00",
    b"\xff\xfe",
)


class Body:
    """A request whose body comes in pieces of this size."""

    content_type = ("multipart/form-data", {"boundary": "b"})

    def __init__(self, body: bytes, piece: int) -> None:
        self._pieces = [body[start : start + piece] for start in range(0, len(body), piece)]

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def damaged(number: int) -> bytes:
    """The same for the same number."""
    random = Random(number)
    return mutated(_whole(random), random, more=(_line, _known, _known))


async def outcome(body: bytes, piece: int) -> object:
    """What the body is read as, or the error that refuses it."""
    async with uploads.spool() as spool:
        try:
            form = await uploads.receive(Body(body, piece), spool, PARTS)  # type: ignore[arg-type]
        except (DomainError, PayloadTooLarge) as refusal:
            return type(refusal)
        files = {name: [(file.name, file.content.read()) for file in files] for name, files in form.files.items()}
        return form.texts, files


def _whole(random: Random) -> bytes:
    parts = []
    for _ in range(random.randint(0, 5)):
        name = random.choice(("name", "tags", "images", "images"))
        file = f'; filename="{random.randint(0, 9)}.png"' if name == "images" else ""
        head = f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        content = random.randbytes(random.randint(0, 300)) if file else b"some text"
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + b"--b--\r\n"


def _line(content: bytearray, random: Random) -> None:
    """A line goes, or comes twice."""
    found = list(_LINES.finditer(content))
    if found:
        place = random.choice(found).span()
        content[slice(*place)] = content[slice(*place)] * random.choice((0, 2))


def _known(content: bytearray, random: Random) -> None:
    """Something that means something in a body, anywhere."""
    position = random.randint(0, len(content))
    content[position:position] = random.choice(_PIECES)
