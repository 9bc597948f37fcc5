"""Objects of a blob store without a web server."""

import hashlib
from typing import Annotated

from dishka import FromDishka
from litestar import Controller, Response
from litestar.params import FromPath, FromQuery, QueryParameter

from core.ports.blob_store import PUBLIC_PREFIX, BlobNotFound
from core.ports.media_files import MediaFiles, SignedUpload, UploadRefused
from entrypoints.http.errors import AnyRequest
from entrypoints.http.operation import get, put
from entrypoints.http.security.access import session_ignored

PUBLIC = "public, max-age=31536000, immutable"
"""A public object never changes; a new version gets a new key."""
PRIVATE = "private, max-age=300"
MAX_BODY = 1024 * 1024 * 1024
"""Bytes; each URL for an upload says how many it takes."""


class MediaController(Controller):
    path = "/media"
    tags = ("Media",)

    @get(
        "/{key:path}",
        guard=session_ignored,
        refusals=(BlobNotFound,),
        summary="Get an object",
        description="At a URL from another response.",
        media_type="image/*",
        conditional=True,
    )
    async def read(
        self,
        key: FromPath[str],
        files: FromDishka[MediaFiles],
        expires: FromQuery[str | None] = None,
        signature: FromQuery[str | None] = None,
    ) -> Response[bytes]:
        key = key.removeprefix("/")
        media = await files.read(key, expires=expires, signature=signature)
        tag = f'"{hashlib.blake2b(media.content, digest_size=12).hexdigest()}"'
        headers = {
            "ETag": tag,
            "Cache-Control": PUBLIC if key.startswith(PUBLIC_PREFIX) else PRIVATE,
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        return Response(media.content, media_type=media.content_type, headers=headers)

    @put(
        "/{key:path}",
        guard=session_ignored,
        refusals=(UploadRefused,),
        summary="Upload an object",
        description="At an `upload_url` from another response, with its headers; once.",
        status=204,
        max_body=MAX_BODY,
    )
    async def write(
        self,
        request: AnyRequest,
        key: FromPath[str],
        files: FromDishka[MediaFiles],
        expires: FromQuery[str] = "",
        size: FromQuery[str] = "",
        signed_type: Annotated[str, QueryParameter(name="type")] = "",
        signature: FromQuery[str] = "",
    ) -> None:
        signed = SignedUpload(expires, size, signed_type, signature)
        content_type = request.headers.get("Content-Type", "")
        await files.write(key.removeprefix("/"), signed, request.stream(), content_type=content_type)
