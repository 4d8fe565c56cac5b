"""Runs what the routes declare. FastAPI reads the declarations, once and at start, and takes no part in a request:
what it does for each one costs more than all the rest of a small request.

Called by `table`, which finds the endpoint. The same declarations make the OpenAPI document (`openapi`), so there is
one way to declare a route. What this cannot run is refused at start: endpoints and dependencies are coroutines, and
take parameters of the path and of the query, the connection, and other dependencies. Bodies are read by `bodies`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from starlette.requests import HTTPConnection
from starlette.responses import Response

from coder_enterprise.server.errors import BadRequest

_NOT_RUN: Final = (
    "header_params",
    "cookie_params",
    "body_params",
    "response_param_name",
    "background_tasks_param_name",
    "security_scopes_param_name",
    "concurrency",
)


class Field(Protocol):
    """What is asked of FastAPI's description of a parameter."""

    name: str
    alias: str
    field_info: Any


class Endpoint:
    """A route's function, with what it asks for."""

    def __init__(self, dependant: Dependant) -> None:
        """Raises `TypeError` for what is declared and cannot be run here."""
        self._step = _Step(dependant)

    async def __call__(self, connection: HTTPConnection) -> Response | None:
        """The answer; None of a websocket. Raises `BadRequest` for parameters that break their rules, and whatever
        the route raises."""
        problems: list[Mapping[str, Any]] = []
        answer: Response | None = await self._step.run(connection, {}, problems)
        if problems:
            found = {str(problem["loc"][-1]): str(problem["msg"]) for problem in problems}
            raise BadRequest("Query parameters have invalid values.", validations=found)
        return answer


class _Step:
    """One function: the endpoint's own, or one that it depends on."""

    def __init__(self, dependant: Dependant) -> None:
        call = dependant.call
        surplus = [name for name in _NOT_RUN if getattr(dependant, name)]
        if call is None or surplus or not inspect.iscoroutinefunction(call):
            raise TypeError(f"{dependant.path}: {call} is not run here: {surplus or 'it is no coroutine'}")
        self._call: Callable[..., Awaitable[Any]] = call
        self._needs = [(needed.name, _Step(needed)) for needed in dependant.dependencies]
        self._path = _Parameters(dependant.path_params, always_sent=True)
        self._query = _Parameters(dependant.query_params)
        self._connection_names = [
            name
            for name in (
                dependant.request_param_name,
                dependant.websocket_param_name,
                dependant.http_connection_param_name,
            )
            if name is not None
        ]

    async def run(
        self,
        connection: HTTPConnection,
        done: dict[Callable[..., Any], Any],
        problems: list[Mapping[str, Any]],
    ) -> Any:
        """What it returns, once for each request. Adds to `problems`, and returns None, when it cannot be called."""
        if self._call in done:
            return done[self._call]
        before = len(problems)
        values: dict[str, Any] = {}
        for name, step in self._needs:
            value = await step.run(connection, done, problems)
            if name is not None:
                values[name] = value
        values |= self._path.read(connection.path_params, problems)
        if self._query.fields:
            values |= self._query.read(connection.query_params, problems)
        for name in self._connection_names:
            values[name] = connection
        if len(problems) > before:
            return None
        result = done[self._call] = await self._call(**values)
        return result


class _Parameters:
    """Those of a function that come from one place: the path, or the query."""

    def __init__(self, fields: Sequence[Any], *, always_sent: bool = False) -> None:
        self.fields = fields
        self._are_text = always_sent and all(map(_is_text, fields))

    def read(self, sent: Mapping[str, Any], problems: list[Mapping[str, Any]]) -> dict[str, Any]:
        if self._are_text:
            return {field.name: sent[field.alias] for field in self.fields}
        values, found = request_params_to_args(self.fields, sent)
        problems += found
        return values


def _is_text(field: Field) -> bool:
    """Whether any text will do."""
    info = field.field_info
    return info.annotation is str and not info.metadata
