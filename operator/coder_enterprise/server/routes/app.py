"""The ASGI application: all routes, what every answer carries, and errors as envelopes."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import APIRouter, Request, Response, WebSocket
from scim2_models import SCIMException
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coder_enterprise.server import context
from coder_enterprise.server.refused import Refused
from coder_enterprise.server.routes import (
    about,
    appearance,
    audit,
    authentication,
    authorization,
    deployment,
    dry_runs,
    files,
    git_ssh_keys,
    groups,
    licenses,
    logs,
    members,
    organizations,
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
from coder_enterprise.server.routes.dependencies import API
from coder_enterprise.server.routes.limits import RateLimit
from coder_enterprise.server.routes.metrics import CountRequests, RequestMetrics
from coder_enterprise.server.routes.openapi import document
from coder_enterprise.server.routes.paths import OneSpelling
from coder_enterprise.server.routes.profile_hints import ProfileHints
from coder_enterprise.server.routes.provisioning import provisioner_daemons, provisioner_jobs, provisioner_keys
from coder_enterprise.server.routes.table import WEBSOCKET, RouteTable
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.readiness import Readiness
from coder_enterprise.server.settings import Network
from coder_enterprise.wire.profiles import Profile

described = APIRouter(prefix=API, include_in_schema=False)


@described.get("/openapi.json")
async def send_document(request: Request) -> Response:
    return JSONBytes(request.app.written_description)


ROUTERS: Final = (
    deployment.health,
    deployment.router,
    about.router,
    authorization.router,
    authentication.router,
    users.router,
    organizations.router,
    git_ssh_keys.router,
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
    provisioner_jobs.router,
    provisioner_keys.router,
    files.router,
    template_versions.router,
    dry_runs.router,
    workspaces.router,
    workspaces.quota,
    refused.router,
    described,
)

# A websocket is accepted, or refused with an answer.
_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


def create_app(
    services: Services,
    rate_limit: int = 0,
    trusted_headers: Sequence[str] = (),
    trusted_origins: Sequence[Network] = (),
) -> Application:
    """`rate_limit` is in requests a minute from one client to one path; none below 1. `trusted_…` say which proxies
    before the server may tell who the client is."""
    app = Application(services, _table(with_scim=services.scim.enabled))
    app.state.metrics.registry.register(services.metrics)
    # The last one added is the first one asked.
    app.add_layer(BodyBudget)
    app.add_layer(RateLimit, limit=rate_limit)
    if services.profile is Profile.DOCUMENTED:
        app.add_layer(ProfileHints)
    app.add_layer(CommonHeaders, readiness=services.readiness, version=services.deployment.version)
    app.add_layer(CountRequests, metrics=app.state.metrics)
    app.add_layer(ClientAddress, headers=trusted_headers, origins=trusted_origins)
    app.add_layer(OneSpelling)
    return app


def routes_of(*routers: APIRouter) -> list[BaseRoute]:
    return [route for router in routers for route in router.routes]


@functools.cache
def _table(*, with_scim: bool) -> RouteTable:
    """The same for all applications of a process: it knows nothing of their services."""
    return RouteTable(routes_of(*ROUTERS, scim.root) if with_scim else routes_of(*ROUTERS))


@dataclass(frozen=True)
class State:
    """What routes and layers find at `connection.app.state`."""

    services: Services
    metrics: RequestMetrics = field(default_factory=RequestMetrics)


class Application:
    """ASGI: finds the endpoint of a request, and answers with what it returns or raises."""

    def __init__(self, services: Services, table: RouteTable) -> None:
        self.state = State(services)
        self._table = table
        self._layers: ASGIApp = self._answer

    def add_layer(self, layer: Callable[..., ASGIApp], **options: Any) -> None:
        """Around all that there are: ASGI middleware that is made of the application within and of `options`."""
        self._layers = layer(self._layers, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._layers(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = Request(scope, receive, send) if scope["type"] == "http" else WebSocket(scope, receive, send)
        found = self._table.find(scope.get("method", WEBSOCKET), scope["path"])
        if found is None:
            await self._no_route(connection)(scope, receive, send)
            return
        scope["route"], scope["path_params"] = found, found.path_params
        try:
            answer = await found.endpoint(connection)
        except (Refused, SCIMException) as error:
            answer = _refused(connection, error)
        if answer is not None:
            await answer(scope, receive, send)

    def _no_route(self, connection: HTTPConnection) -> Response:
        """Coder answers a wrong method with an empty body."""
        methods = self._table.methods(connection.scope["path"]) if connection.scope["type"] == "http" else []
        status, headers = (405, {"Allow": ", ".join(methods)}) if methods else (404, None)
        if scim.speaks(connection):
            return scim.no_route(status, headers)
        return Response(status_code=status, headers=headers) if methods else envelope(404, "Route not found.")

    @functools.cached_property
    def description(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return document(self._table.routes)

    @functools.cached_property
    def written_description(self) -> bytes:
        """Written once: anybody may ask for it, and it takes longer than all else that they may ask for."""
        return json.dumps(self.description, ensure_ascii=False, separators=(",", ":")).encode()


class CommonHeaders:
    """What every answer carries, the answer when a handler fails, and the line in the log."""

    def __init__(self, app: ASGIApp, readiness: Readiness, version: str) -> None:
        """While it ends, every client is asked to come back through a new connection, which leads to another server."""
        self._app = app
        self._readiness = readiness
        self._version = version.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = logs.request_id(scope)
        context.request_id.set(request_id)
        context.user_agent.set(logs.user_agent(scope))
        began = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in _STARTS:
                status = message.get("status", 101)
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-coder-request-id", request_id.encode()),
                    (b"x-coder-build-version", self._version),
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


def _refused(connection: HTTPConnection, error: Refused | SCIMException) -> Response:
    if isinstance(error, SCIMException) or scim.speaks(connection):
        return scim.refusal(error)
    return refusal(error)
