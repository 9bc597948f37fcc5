"""Bodies with files: multipart/form-data, or JSON with data URLs where files are small."""

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from core.errors import ValidationError
from core.uploads import Upload
from entrypoints.http import uploads
from entrypoints.http.body import UnsupportedMediaType, convert, decode, whole_body
from entrypoints.http.errors import AnyRequest
from entrypoints.http.middleware.idempotency import check_body, has_key
from entrypoints.http.operation import Fields, Form
from entrypoints.http.problems import (
    DATA_URL_REQUIRED,
    FILE_REQUIRED,
    INVALID_BASE64,
)
from entrypoints.http.state import state_of

_DATA_URL = re.compile(r"data:image/[a-z+.-]+;base64,(?P<data>[A-Za-z0-9+/=]+)", re.ASCII)


class FormBody(Form[Fields], frozen=True):
    """How such a body is read."""

    check_file: uploads.CheckFile = uploads.any_file

    @asynccontextmanager
    async def read(self, request: AnyRequest) -> AsyncIterator[tuple[Fields, dict[str, list[Upload]]]]:
        """The fields and, by field, the files, which are deleted when the block is left.

        Raises UnsupportedMediaType, MalformedBody, PayloadTooLarge, TooManyUploads or ValidationError, and what
        `check_file` and `check_key` raise.
        """
        content_type = request.content_type[0]
        if content_type == "application/json" and self.json:
            yield self._from_json(await whole_body(request))
        elif content_type == "multipart/form-data":
            in_progress = state_of(request.app).uploads
            with in_progress.place(request.scope["user"].id):
                async with uploads.spool() as spool:
                    form = await uploads.receive(request, spool, self._parts())
                    if has_key(request):
                        await check_body(request, await asyncio.to_thread(uploads.digest, form))
                    yield self._from_form(form)
        else:
            raise UnsupportedMediaType

    def _parts(self) -> uploads.Parts:
        return uploads.Parts(
            texts=frozenset(field.encode_name for field in msgspec.structs.fields(self.fields)),
            files=frozenset(self.files),
            lists=frozenset((*self.lists, *self.files)),
            several=self.several,
            check_file=self.check_file,
        )

    def _from_form(self, form: uploads.Form) -> tuple[Fields, dict[str, list[Upload]]]:
        if problems := {name: FILE_REQUIRED for name in self.files if any(form.texts.get(name, []))}:
            raise ValidationError(**problems)
        plain: dict[str, object] = {
            name: values if name in self.lists else values[0]
            for name, values in form.texts.items()
            if name not in self.files
        }
        return convert(plain, self.fields, strict=False), form.files

    def _from_json(self, body: bytes) -> tuple[Fields, dict[str, list[Upload]]]:
        plain = decode(body, dict[str, Any])
        files = {name: [_from_data_url(name, plain.pop(name))] for name in self.files if plain.get(name) is not None}
        return convert(plain, self.fields, strict=True), files


def _from_data_url(name: str, value: object) -> Upload:
    url = _DATA_URL.fullmatch(value) if isinstance(value, str) else None
    if url is None:
        raise ValidationError(**{name: DATA_URL_REQUIRED})
    try:
        data = base64.b64decode(url["data"], validate=True)
    except ValueError:
        raise ValidationError(**{name: INVALID_BASE64}) from None
    return Upload(name, len(data), io.BytesIO(data))
