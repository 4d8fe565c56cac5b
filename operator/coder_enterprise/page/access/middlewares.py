"""What every request passes before a handler sees it, and what every answer says. Put up once, when the page starts.

A refusal says which rule it is, and nothing of what is behind it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from coder_enterprise.client.concurrency import end
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.page.access import headers, origin, signing_in
from coder_enterprise.page.access.gate import GATE, Gate
from coder_enterprise.page.access.identity import IDENTITY
from coder_enterprise.page.access.limits import TooMany
from coder_enterprise.page.access.modes import Mode
from coder_enterprise.page.access.origin import READING, NotHere
from coder_enterprise.page.access.proxies import NotBelieved
from coder_enterprise.page.access.reviews import VIEWER
from coder_enterprise.page.access.shown import page, wants_html

BODY_TIMEOUT: Final = 20.0
"""Seconds that a write may take, with the time in which it arrives."""

log = structlog.get_logger(__name__)


def put_up(app: web.Application, gate: Gate) -> None:
    """Before any handler that the application has."""
    app[GATE] = gate
    app.middlewares.extend((_refuse, _look, _identify))
    app.on_response_prepare.append(headers.add)
    app.cleanup_ctx.append(partial(_open, gate))
    if gate.mode is Mode.KUBERNETES:
        app.add_routes(signing_in.routes)


async def _open(gate: Gate, _: web.Application) -> AsyncIterator[None]:
    sweep = asyncio.create_task(gate.sweep(), name="forget tokens")
    yield
    await end([sweep])
    await gate.close()


@web.middleware
async def _refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Where it is said what has been refused."""
    try:
        if request.method in READING:
            return await handler(request)
        async with asyncio.timeout(BODY_TIMEOUT):
            return await handler(request)
    except (NotHere, NotBelieved) as error:
        return page(request, HTTPStatus.FORBIDDEN, "Refused", str(error))
    except TooMany as error:
        answer = page(request, HTTPStatus.TOO_MANY_REQUESTS, "Too many", str(error))
        answer.headers[hdrs.RETRY_AFTER] = str(math.ceil(error.wait))
        return answer
    except KubernetesError as error:
        log.warning("the page cannot ask Kubernetes", cause=str(error))
        cause = "Kubernetes was asked who you are and what you may see, and did not answer as it should."
        return page(request, HTTPStatus.SERVICE_UNAVAILABLE, "Not now", cause)
    except TimeoutError:
        return page(request, HTTPStatus.REQUEST_TIMEOUT, "Not in time", "The request took too long.")


@web.middleware
async def _look(request: web.Request, handler: Handler) -> web.StreamResponse:
    mode = request.app[GATE].mode
    origin.check_host(request, loopback=mode is Mode.LOCAL)
    origin.check_site(request, bearers=mode is Mode.KUBERNETES)
    return await handler(request)


@web.middleware
async def _identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    route = request.match_info.route
    if isinstance(route.resource, web.StaticResource) or route.handler in signing_in.FOR_EVERYBODY:
        return await handler(request)
    gate = request.app[GATE]
    viewer = await gate.viewer(request)
    if viewer is None:
        return _unknown(request, gate.mode)
    request[VIEWER], request[IDENTITY] = viewer, viewer.identity
    return await handler(request)


def _unknown(request: web.Request, mode: Mode) -> web.StreamResponse:
    if mode is Mode.PROXY:
        return page(request, HTTPStatus.UNAUTHORIZED, "Not signed in", "The proxy before this page names nobody.")
    if wants_html(request):
        return _to_sign_in(request) if request.method in READING else _sign_in_first(request)
    answer = page(request, HTTPStatus.UNAUTHORIZED, "Not signed in", "Send a bearer token of this cluster.")
    answer.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return answer


def _sign_in_first(request: web.Request) -> web.StreamResponse:
    """Who has clicked when their session was over. A form is sent to what is below the page that it is on."""
    said = "Your session has ended, and so nothing was done. Sign in, and do it again."
    page_of_form = origin.own_path(str(request.rel_url.parent))
    return page(request, HTTPStatus.UNAUTHORIZED, signing_in.TITLE, said, sign_in=True, next_=page_of_form)


def _to_sign_in(request: web.Request) -> web.StreamResponse:
    """Who followed a link from another site may well be signed in: their cookie comes with the second request, which
    this page has sent."""
    if request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        return page(request, HTTPStatus.OK, "Going on", "", onwards=origin.own_path(request.raw_path))
    raise web.HTTPSeeOther(f"/login?next={quote(origin.own_path(request.raw_path), safe='')}")
