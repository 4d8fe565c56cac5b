"""Reads request bodies as Coder does.

The Content-Type does not matter, keys match in any case, unknown ones are ignored, null is a field's default, also
in objects within, and what follows the first JSON value is ignored. So is the nil UUID of an id: Go's clients cannot
leave one out, and send it for none. Text that no database can keep is refused: NUL, and half a surrogate pair. The
bodies of all requests together have a budget, and so have those of each sender; a body has its share of them until the
request is answered.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Awaitable, Callable
from types import UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from coder_enterprise.server.budgets import Budget, Budgets, OverBudget, Share
from coder_enterprise.server.errors import BadRequest, Overloaded, TooLarge, invalid
from coder_enterprise.server.routes.clients import network_of
from coder_enterprise.server.routes.logs import user_of
from coder_enterprise.server.routes.openapi import SCHEMAS
from coder_enterprise.wire.profiles import Profile

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_BODY: Final = 1024 * 1024
"""Bytes."""
MAX_FROM_ANYBODY: Final = 16 * 1024
"""Bytes of a body that is read before it is known who sends it."""
MAX_BODIES: Final = 64 * 1024 * 1024
"""Bytes of all requests that are being read or answered."""
MAX_BODIES_OF_ONE: Final = 16 * 1024 * 1024
"""Bytes of those of one user, or of one client that is no user: nobody keeps the others from sending theirs."""

NIL: Final = str(UUID(int=0))
"""How Go writes an id that is not set."""


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
_NOT_JSON: Final = "Request body must be valid JSON."
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_BUDGETS: Final = "coder_enterprise.bodies"
_SHARE: Final = "coder_enterprise.body"


class BodyBudget:
    """ASGI middleware around the routes: gives back what a request's body took."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._budgets = Budgets(MAX_BODIES_OF_ONE, Budget(MAX_BODIES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_BUDGETS] = self._budgets
        try:
            await self._app(scope, receive, send)
        finally:
            if _SHARE in scope:
                scope[_SHARE].resize(0)


def _share(scope: Scope) -> Share:
    """Of whoever sends the request: a user who has been authenticated, or else the client."""
    if _SHARE not in scope:
        scope[_SHARE] = Share(scope[_BUDGETS].of(user_of(scope) or network_of(scope)))
    share: Share = scope[_SHARE]
    return share


def body(model: type[ModelT], limit: int = MAX_BODY, *, codersdk: type[ModelT] | None = None) -> Any:
    """A dependency that is the request's body as `model`; `limit` is in bytes.

    `codersdk` is the model in that wire profile, where what is absent has another meaning there.
    """
    models = {Profile.DOCUMENTED: model, Profile.CODERSDK: codersdk or model}

    async def read(request: Request) -> ModelT:
        return parse(await read_bytes(request, limit), models[request.app.state.services.profile])

    dependency: Callable[[Request], Awaitable[ModelT]] = read
    return Depends(dependency)


def expects(model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a body that `body` reads; `openapi` moves the schema to its place."""
    schema = model.model_json_schema(ref_template=f"{SCHEMAS}{{model}}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def json_object(request: Request) -> dict[str, Any]:
    """The request's body for those who read it themselves. Raises `BadRequest`."""
    return _object(await read_bytes(request))


def parse(raw: bytes, model: type[ModelT]) -> ModelT:
    """Raises `BadRequest` that names the field."""
    value = _object(raw)
    try:
        request = model.model_validate(_fields(value, model), strict=True)
    except ValidationError as error:
        raise _refused(error) from None
    if b"\\u" in raw:  # the only way to write such a character in JSON
        unstorable = [name for name, item in request.model_dump().items() if _is_unstorable(item)]
        if unstorable:
            raise invalid(**dict.fromkeys(unstorable, "must not hold a NUL character or half a surrogate pair"))
    return request


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value, _ = _DECODER.raw_decode(raw.decode().lstrip(" \t\r\n"))
    except (ValueError, RecursionError) as error:
        raise BadRequest(_NOT_JSON, str(error)) from None
    if not isinstance(value, dict):
        raise BadRequest(_NOT_JSON, f"an object is needed, not {type(value).__name__}")
    return value


def _fields(value: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The fields of `model`, whatever the case of their keys; the last one counts."""
    fields = model.model_fields
    return {
        name: _nested(item, fields[name].annotation)
        for key, item in value.items()
        if (name := key.lower()) in fields and not _is_absent(name, item)
    }


def _is_absent(name: str, item: Any) -> bool:
    return item is None or (item == NIL and (name == "id" or name.endswith("_id")))


def _nested(item: Any, annotation: Any) -> Any:
    """The same in a model, and in a list or a map of models, within."""
    if not _holds_model(annotation):
        return item
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _fields(item or {}, annotation) if item is None or isinstance(item, dict) else item
    inner = get_args(annotation)
    if isinstance(item, list) and get_origin(annotation) is list:
        return [_nested(part, inner[0]) for part in item]
    if isinstance(item, dict) and get_origin(annotation) is dict:
        return {key: _nested(part, inner[1]) for key, part in item.items()}
    if get_origin(annotation) in (Union, UnionType):
        for choice in inner:
            item = _nested(item, choice)
    return item


@functools.cache
def _holds_model(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(map(_holds_model, get_args(annotation)))


def _is_unstorable(item: Any) -> bool:
    if isinstance(item, str):
        return bool(_UNSTORABLE.search(item))
    if isinstance(item, dict):
        return any(_is_unstorable(part) for pair in item.items() for part in pair)
    return isinstance(item, list) and any(_is_unstorable(part) for part in item)


def _refused(error: ValidationError) -> BadRequest:
    problems = error.errors(include_url=False, include_input=False)
    missing = {_where(item): "is required" for item in problems if item["type"] == "missing"}
    if missing:
        return invalid(**missing)
    first = problems[0]
    where = _where(first)
    return BadRequest(_NOT_JSON, f"{where}: {first['msg']}", {where: first["msg"]})


def _where(problem: ErrorDetails) -> str:
    return ".".join(str(part) for part in problem["loc"])


async def read_bytes(request: Request, limit: int = MAX_BODY) -> bytes:
    """Raises `TooLarge` over `limit` bytes, and `Overloaded` when the sender's, or all together, are too much."""
    chunks: list[bytes] = []
    share = _share(request.scope)
    try:
        async for chunk in request.stream():
            size = share.size + len(chunk)
            if size > limit:
                raise TooLarge(f"The request body is larger than {limit} bytes.")
            share.resize(size)
            chunks.append(chunk)
    except OverBudget:
        raise Overloaded("Too many request bodies are being sent; try again in a moment.") from None
    except ClientDisconnect:
        raise BadRequest("The request ended before its body did.") from None
    return b"".join(chunks)
