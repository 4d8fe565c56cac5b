"""Answers as Coder writes them: compact JSON with a newline at its end, and the envelope for every error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from fastapi import Response as HTTPResponse

from coder_enterprise.server.errors import BadRequest, Overloaded, RequestError, Unauthorized, Unavailable
from coder_enterprise.server.refused import Refused
from coder_enterprise.server.services.pools import Pool
from coder_enterprise.server.storage.failures import Outage, Overload, SessionEnded, Unstorable
from coder_enterprise.wire.common import RESPONSE, Envelope, SDKResponse, Validation
from coder_enterprise.wire.profiles import Profile, Shape

T = TypeVar("T")

_FAILURES: Final[Mapping[type[Refused], type[RequestError]]] = {
    Overload: Overloaded,
    Outage: Unavailable,
    Unstorable: BadRequest,
    SessionEnded: Unauthorized,
    Refused: RequestError,
}

_LISTS: Final = Pool("lists", threads=1, max_waiting=64)


class JSONBytes(HTTPResponse):
    """JSON that is text already."""

    media_type = "application/json; charset=utf-8"


def answer(profile: Profile, shape: Shape[T], value: T) -> JSONBytes:
    """`value` as `shape` shows it in `profile`."""
    status, content = shape.render(profile, value)
    return JSONBytes(_finished(content), status, dict(shape.headers(profile, value)))


async def answer_list(profile: Profile, shape: Shape[T], value: T) -> JSONBytes:
    """`answer` for what may be long: it is not written on the event loop. Raises `Overloaded`."""
    return await _LISTS.run(answer, profile, shape, value)


def done(profile: Profile, message: str) -> JSONBytes:
    """A success that has nothing else to show."""
    return answer(profile, RESPONSE, SDKResponse(message=message))


def documented(shape: Shape[Any], **more: Any) -> dict[str, Any]:
    """What OpenAPI says of a route that answers with `shape`: keyword arguments for its decorator."""
    return {"response_model": shape.documented.type, "status_code": shape.documented.status, **more}


def envelope(
    status: int,
    message: str,
    detail: str = "",
    validations: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONBytes:
    """An error."""
    problems = [Validation(field=field, detail=text) for field, text in (validations or {}).items()]
    body = Envelope(message=message, detail=detail, validations=problems).model_dump_json()
    return JSONBytes(_finished(body.encode()), status, dict(headers or {}))


def http_of(error: Refused) -> RequestError:
    """What HTTP calls it: the database's failures know nothing of HTTP."""
    if isinstance(error, RequestError):
        return error
    kind = next(kind for failure, kind in _FAILURES.items() if isinstance(error, failure))
    return kind(error.message, error.detail, error.validations)


def refusal(error: Refused) -> JSONBytes:
    said = http_of(error)
    return envelope(said.status, said.message, said.detail, said.validations, said.headers)


def _finished(text: bytes) -> bytes:
    """What could end a script element is escaped, so that no browser reads an answer as HTML."""
    return text.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026") + b"\n"
