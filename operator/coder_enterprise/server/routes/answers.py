"""Answers as Coder writes them: compact JSON with a newline at its end, and the envelope for every error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from fastapi import Response as HTTPResponse
from pydantic import BaseModel, TypeAdapter

from coder_enterprise.server.errors import RequestError
from coder_enterprise.wire.common import Response

ModelT = TypeVar("ModelT", bound=BaseModel)


class JSONBytes(HTTPResponse):
    """JSON that is text already."""

    media_type = "application/json; charset=utf-8"


def answer(model: BaseModel, status: int = 200) -> JSONBytes:
    return JSONBytes(_finished(model.model_dump_json().encode()), status)


def answer_list(items: Sequence[ModelT], model: type[ModelT]) -> JSONBytes:
    return JSONBytes(_finished(_list_of(model).dump_json(items)))


def envelope(
    status: int,
    message: str,
    detail: str = "",
    validations: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONBytes:
    """`detail` and `validations` are left out when they are empty."""
    content: dict[str, Any] = {"message": message}
    if detail:
        content["detail"] = detail
    if validations:
        content["validations"] = [{"field": field, "detail": text} for field, text in validations.items()]
    body = Response.model_validate(content).model_dump_json(exclude_unset=True)
    return JSONBytes(_finished(body.encode()), status, dict(headers or {}))


def refusal(error: RequestError) -> JSONBytes:
    return envelope(error.status, error.message, error.detail, error.validations, error.headers)


@cache
def _list_of(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(list[model])


def _finished(text: bytes) -> bytes:
    """What could end a script element is escaped, so that no browser reads an answer as HTML."""
    return text.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026") + b"\n"
