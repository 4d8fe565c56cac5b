"""What the routes ask for: the services, and who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Response
from starlette.requests import HTTPConnection

from coder_enterprise.server import scopes
from coder_enterprise.server.access import Actor
from coder_enterprise.server.routes.answers import answer, answer_list, done
from coder_enterprise.server.routes.logs import note_user
from coder_enterprise.server.routes.openapi import BEARER, SESSION_COOKIE, SESSION_HEADER, secured_by
from coder_enterprise.server.services.all import Services
from coder_enterprise.wire.profiles import Shape

T = TypeVar("T")

SESSION_TOKEN: Final = "coder_session_token"  # noqa: S105
"""The cookie, and the query parameter."""
API: Final = "/api/v2"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what for: one dependency, because each one costs as much as a query."""

    actor: Actor
    services: Services

    def answer(self, shape: Shape[T], value: T) -> Response:
        return answer(self.services.profile, shape, value)

    async def answer_list(self, shape: Shape[T], value: T) -> Response:
        """For what may be long. Raises `Overloaded`."""
        return await answer_list(self.services.profile, shape, value)

    def done(self, message: str) -> Response:
        return done(self.services.profile, message)


async def _services(request: HTTPConnection) -> Services:
    services: Services = request.app.state.services
    return services


@secured_by(SESSION_HEADER, SESSION_COOKIE, BEARER)
async def _caller(request: HTTPConnection) -> Caller:
    """Raises `Unauthorized`, and `Forbidden` for a token that is narrowed to less than what is asked for."""
    services = await _services(request)
    actor = await services.sessions.identify(session_token(request))
    if actor.scopes is not None:
        method = request.scope.get("method", "GET")  # a websocket has none
        scopes.require(actor.scopes, scopes.wanted_by(method, request.scope["route"].path.removeprefix(f"{API}/")))
    note_user(request.scope, actor.username)
    return Caller(actor, services)


def session_token(request: HTTPConnection) -> str:
    """The first that is sent of cookie, query parameter, Coder-Session-Token and Authorization; else ""."""
    found = (
        request.cookies.get(SESSION_TOKEN)
        or (request.query_params.get(SESSION_TOKEN) if request.scope["query_string"] else None)
        or request.headers.get("coder-session-token")
    )
    if found:
        return found
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


Public = Annotated[Services, Depends(_services)]
"""For routes that need no session."""
Authenticated = Annotated[Caller, Depends(_caller)]
