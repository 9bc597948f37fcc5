"""Multipart bodies with files on disk: a request needs one file descriptor and the memory of a chunk."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import file_digest, sha256
from tempfile import TemporaryFile
from typing import IO, Any, Protocol

import msgspec
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from core.errors import ValidationError
from core.problems import Problem
from core.uploads import Upload
from entrypoints.http.body import PayloadTooLarge, refuse_unstorable
from entrypoints.http.errors import AnyRequest, MalformedBody
from entrypoints.http.problems import NOT_UTF8, REPEATED_FIELD, TEXT_REQUIRED, UNKNOWN_FIELD

MAX_PARTS = 500
MAX_TEXT = 64 * 1024
"""Maximum bytes of a field that is no file."""
CHUNK = 1024 * 1024


class CheckFile(Protocol):
    """Called for each file when it begins and as it grows; what it raises ends the reading."""

    def __call__(self, *, index: int, name: str, size: int) -> None:
        """`index` counts all files of the body, `name` is the client's, `size` the bytes that have come."""
        ...


def any_file(*, index: int, name: str, size: int) -> None:
    pass


class Parts(msgspec.Struct, frozen=True):
    """The parts that a body may have."""

    texts: frozenset[str]
    files: frozenset[str]
    lists: frozenset[str] = frozenset()
    """Texts that may be repeated."""
    several: bool = False
    """Whether files may be repeated."""
    check_file: CheckFile = any_file

    def problem_of(self, segment: MultipartSegment, form: "Form") -> Problem | None:
        """Of a part that begins after those of `form`."""
        if segment.name not in self.texts and segment.name not in self.files:
            return UNKNOWN_FIELD
        if segment.filename is None:
            return REPEATED_FIELD if segment.name in form.texts and segment.name not in self.lists else None
        if segment.name not in self.files:
            return TEXT_REQUIRED
        return REPEATED_FIELD if segment.name in form.files and not self.several else None


class Form(msgspec.Struct, frozen=True):
    texts: dict[str, list[str]]
    files: dict[str, list[Upload]]


async def receive(request: AnyRequest, spool: IO[bytes], parts: Parts) -> Form:
    """Read a multipart body; the files stay readable while `spool` is open.

    Raises MalformedBody, PayloadTooLarge, what `check_file` raises, or ValidationError for text that cannot be read and
    for parts that the body may not have. No file is taken in after such a part.
    """
    boundary = request.content_type[1].get("boundary", "")
    form = Form({}, {})
    problems: dict[str, Problem] = {}
    try:
        async for segment, part in _parts(request.stream(), boundary, spool, parts.check_file):
            if part is None:
                if problem := parts.problem_of(segment, form):
                    problems.setdefault(segment.name, problem)
                if problems and segment.filename is not None:
                    raise ValidationError(**problems)
            elif isinstance(part, Upload):
                form.files.setdefault(segment.name, []).append(part)
            else:
                form.texts.setdefault(segment.name, []).append(_text(segment.name, part))
    except ParserLimitReached:
        raise PayloadTooLarge from None
    except MultipartError:
        raise MalformedBody from None
    if problems:
        raise ValidationError(**problems)
    refuse_unstorable({name: values[0] if len(values) == 1 else values for name, values in form.texts.items()})
    refuse_unstorable({name: [file.name for file in files] for name, files in form.files.items()})
    return form


def digest(form: Form) -> bytes:
    """A digest of fields and files that does not depend on the boundary; reads all files."""
    whole = sha256(msgspec.json.encode(form.texts))
    for name, files in form.files.items():
        for file in files:
            content = file_digest(file.content, "sha256").hexdigest()  # type: ignore[arg-type]
            file.content.seek(0)
            whole.update(msgspec.json.encode([name, file.name, content]))
    return whole.digest()


@asynccontextmanager
async def spool() -> AsyncIterator[IO[bytes]]:
    """A temporary file for `receive`, which is deleted when the block is left.

    That is done in a thread: freeing a large file took a third of a second on a busy machine.
    """
    file = TemporaryFile(prefix="upload-")  # noqa: SIM115 - closed in a thread
    try:
        yield file
    finally:
        await asyncio.to_thread(file.close)


async def _parts(
    stream: AsyncIterator[bytes], boundary: str, spool: IO[bytes], check_file: CheckFile
) -> AsyncIterator[tuple[MultipartSegment, Upload | bytes | None]]:
    """Each part twice: when it begins, with None, and when it has ended."""
    begin, files, pending = 0, 0, bytearray()
    segment: MultipartSegment | None = None
    with PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser:
        async for chunk in stream:
            if parser.closed or not chunk:
                continue
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    segment, begin, pending = event, spool.tell(), bytearray()
                    yield segment, None
                    if segment.filename is not None:
                        check_file(index=files, name=segment.filename, size=0)
                        files += 1
                elif segment is None:
                    raise MalformedBody
                elif event:
                    pending += event
                    if segment.filename is not None:
                        check_file(index=files - 1, name=segment.filename, size=spool.tell() - begin + len(pending))
                    elif len(pending) > MAX_TEXT:
                        raise PayloadTooLarge
                    if len(pending) >= CHUNK:
                        await asyncio.to_thread(spool.write, bytes(pending))
                        pending.clear()
                elif segment.filename is None:
                    yield segment, bytes(pending)
                else:
                    await asyncio.to_thread(_write, spool, bytes(pending))
                    size = spool.tell() - begin
                    content = io.BufferedReader(_Slice(spool.fileno(), begin, size))
                    yield segment, Upload(segment.filename, size, content)


def _write(spool: IO[bytes], data: bytes) -> None:
    spool.write(data)
    spool.flush()


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValidationError(**{name: NOT_UTF8}) from None


class _Slice(io.RawIOBase):
    """A part of a file, read like a file. Slices of one file may be read concurrently, in any thread."""

    def __init__(self, descriptor: int, begin: int, size: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._begin = begin
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(self._size - self._position, 0))
        data = os.pread(self._descriptor, wanted, self._begin + self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        """In one call: the one that is inherited makes a thousand for some megabytes."""
        data = os.pread(self._descriptor, max(self._size - self._position, 0), self._begin + self._position)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("a position before the start")
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        return self._position
