"""The ASGI application: all routes, what every answer carries, and errors as envelopes."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from scim2_models import SCIMException
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from coder_enterprise.server import context
from coder_enterprise.server.errors import RequestError
from coder_enterprise.server.routes import (
    about,
    appearance,
    audit,
    authentication,
    authorization,
    deployment,
    files,
    groups,
    licenses,
    logs,
    members,
    organizations,
    provisioner_daemons,
    provisioner_keys,
    proxies,
    quiet_hours,
    refused,
    replicas,
    scim,
    template_acls,
    template_versions,
    templates,
    tokens,
    users,
    workspaces,
)
from coder_enterprise.server.routes.answers import JSONBytes, envelope, refusal
from coder_enterprise.server.routes.bodies import BodyBudget
from coder_enterprise.server.routes.clients import ClientAddress
from coder_enterprise.server.routes.dependencies import API, Services
from coder_enterprise.server.routes.limits import RateLimit
from coder_enterprise.server.routes.metrics import CountRequests, RequestMetrics
from coder_enterprise.server.routes.openapi import document
from coder_enterprise.server.routes.paths import OneSpelling
from coder_enterprise.server.services.readiness import Readiness
from coder_enterprise.server.settings import Network
from coder_enterprise.wire.buildinfo import VERSION

# Literal paths such as /users/login come before /users/{user}.
ROUTERS: Final = (
    deployment.health,
    deployment.router,
    about.router,
    authorization.router,
    authentication.router,
    users.router,
    organizations.router,
    groups.router,
    scim.router,
    licenses.router,
    appearance.router,
    members.router,
    templates.router,
    template_acls.router,
    quiet_hours.router,
    tokens.router,
    audit.router,
    proxies.router,
    replicas.router,
    replicas.peers,
    provisioner_daemons.router,
    provisioner_keys.router,
    files.router,
    template_versions.router,
    workspaces.router,
    workspaces.quota,
    refused.router,
)

# A websocket is accepted, or refused with an answer.
_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


def create_app(
    services: Services,
    rate_limit: int = 0,
    trusted_headers: Sequence[str] = (),
    trusted_origins: Sequence[Network] = (),
) -> FastAPI:
    """`rate_limit` is in requests a minute from one client to one path; none below 1. `trusted_…` say which proxies
    before the server may tell who the client is."""
    routers = (*ROUTERS, scim.root) if services.scim.enabled else ROUTERS
    # One flat list: FastAPI matches the routes of an included router twice.
    app = _Application(
        routes=routes_of(*routers),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_route(f"{API}/openapi.json", app.send_document, include_in_schema=False)
    app.state.services = services
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(SCIMException, _refused)
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(WebSocketRequestValidationError, _bad_parameter)
    app.add_exception_handler(HTTPException, _no_route)
    # The last one added is the first one asked.
    app.state.metrics = RequestMetrics()
    app.state.metrics.registry.register(services.metrics)
    app.add_middleware(BodyBudget)
    app.add_middleware(RateLimit, limit=rate_limit)
    app.add_middleware(CommonHeaders, readiness=services.readiness)
    app.add_middleware(CountRequests, metrics=app.state.metrics)
    app.add_middleware(ClientAddress, headers=trusted_headers, origins=trusted_origins)
    app.add_middleware(OneSpelling)
    return app


def routes_of(*routers: APIRouter) -> list[BaseRoute]:
    return [route for router in routers for route in router.routes]


class _Application(FastAPI):
    @override
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = document(self.routes)
        return self.openapi_schema

    @functools.cached_property
    def _document(self) -> bytes:
        """Written once: anybody may ask for it, and it takes longer than all else that they may ask for."""
        return json.dumps(self.openapi(), ensure_ascii=False, separators=(",", ":")).encode()

    async def send_document(self, _: Request) -> Response:
        return JSONBytes(self._document)


class CommonHeaders:
    """What every answer carries, the answer when a handler fails, and the line in the log."""

    def __init__(self, app: ASGIApp, readiness: Readiness) -> None:
        """While it ends, every client is asked to come back through a new connection, which leads to another server."""
        self._app = app
        self._readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = logs.request_id(scope)
        context.request_id.set(request_id)
        began = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.close" and not status:  # no route has accepted it
                await envelope(404, "Route not found.")(scope, receive, send_with_headers)
                return
            if message["type"] in _STARTS:
                status = message.get("status", 101)
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-coder-request-id", request_id.encode()),
                    (b"x-coder-build-version", VERSION.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"vary", b"Cookie"),
                ]
                if self._readiness.ending and scope["type"] == "http":
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        app = _refuse_nul if "\0" in scope["path"] or b"%00" in scope["query_string"] else self._app
        try:
            await app(scope, receive, send_with_headers)
        except Exception as fault:
            logs.report(scope, request_id, status or 500, time.perf_counter() - began, fault)
            if status:
                raise
            detail = f"Request {request_id} is in the server's log."
            await envelope(500, "An internal server error occurred.", detail)(scope, receive, send_with_headers)
        else:
            logs.report(scope, request_id, status, time.perf_counter() - began)


async def _refuse_nul(scope: Scope, receive: Receive, send: Send) -> None:
    """Here and not in each route: no database can keep such a name, so nothing can have it."""
    await envelope(400, "The request's URL holds a NUL character.")(scope, receive, send)


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, SCIMException) or (isinstance(error, RequestError) and scim.speaks(request)):
        return scim.refusal(error)
    if not isinstance(error, RequestError):
        raise error
    return refusal(error)


async def _bad_parameter(_: Request, error: Exception) -> Response:
    """Also of a websocket, which is refused before it is accepted."""
    if not isinstance(error, RequestValidationError | WebSocketRequestValidationError):
        raise error
    problems = {str(item["loc"][-1]): str(item["msg"]) for item in error.errors()}
    return envelope(400, "Query parameters have invalid values.", validations=problems)


async def _no_route(request: Request, error: Exception) -> Response:
    """Coder answers a wrong method with an empty body."""
    if not isinstance(error, HTTPException):
        raise error
    headers = {"Allow": ", ".join(_allowed(request))} if error.status_code == 405 else error.headers
    if scim.speaks(request):
        return scim.no_route(error.status_code, headers)
    if error.status_code == 404:
        return envelope(404, "Route not found.")
    return Response(status_code=error.status_code, headers=headers)


def _allowed(request: Request) -> list[str]:
    """The methods of the path: each has a route of its own, and Starlette names those of the first one only."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in matching for method in route.methods or ()})
