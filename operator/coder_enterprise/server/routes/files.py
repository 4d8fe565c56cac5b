"""/files."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import read_bytes
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.services.files import MAX_FILE, TAR, ZIP
from coder_enterprise.wire.files import FILE_CREATED, FILE_KNOWN, UploadedFile

router = APIRouter(prefix=API, tags=["Files"])

_FILE: Final[dict[str, Any]] = {mimetype: {"schema": {"type": "string", "format": "binary"}} for mimetype in (TAR, ZIP)}
_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": _FILE}}


@router.post("/files", **documented(FILE_CREATED, responses={200: {"model": UploadedFile}}), openapi_extra=_BODY)
async def upload_file(request: Request, caller: Authenticated) -> Response:
    mimetype = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    file_id, is_new = await caller.services.files.create(caller.actor, mimetype, await read_bytes(request, MAX_FILE))
    return caller.answer(FILE_CREATED if is_new else FILE_KNOWN, UploadedFile(hash=file_id))


@router.get("/files/{file}", response_class=Response, responses={200: {"content": _FILE}})
async def get_file(file: str, caller: Authenticated, format: str = "") -> Response:  # noqa: A002
    found = await caller.services.files.get(caller.actor, file, format)
    return Response(found.data, media_type=found.mimetype)
