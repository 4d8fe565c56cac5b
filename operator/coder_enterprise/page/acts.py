"""Reconcile, suspend and resume, from the page of an object: with the rights of whoever clicks, and with no others.

Each is sent to Kubernetes with that person's own token, so that Kubernetes decides, and its audit log names them. Where
the page has no token of theirs, nobody can act. The acts themselves are those of the commands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp import hdrs, web

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.kinds.machinery import moments
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.kinds.machinery.suspension import suspension
from coder_enterprise.oncall import acts
from coder_enterprise.oncall.objects import Kinds
from coder_enterprise.page.access import audit
from coder_enterprise.page.access.forms import form_of
from coder_enterprise.page.access.gate import address_of
from coder_enterprise.page.access.identity import IDENTITY
from coder_enterprise.page.access.origin import CSRF_FIELD, check_csrf
from coder_enterprise.page.access.reviews import VIEWER, may
from coder_enterprise.page.rendering import render
from coder_enterprise.page.sight import sight
from coder_enterprise.page.site import SITE

PATCH: Final = "patch"
HOURS: Final = (("1 hour", 1), ("4 hours", 4), ("1 day", 24), ("1 week", 168))
"""For how long something may be suspended here: always with an end, for who clicks forgets."""
HEARD: Final = 1.0
"""Seconds that an answer waits for the operator to hear of what was done, so that the page that follows shows it."""

routes = web.RouteTableDef()


@dataclass(frozen=True)
class Offered:
    """What the page of an object offers to whoever looks at it."""

    csrf: str
    suspended: bool
    hours: tuple[tuple[str, int], ...] = HOURS


async def offered(request: web.Request, resource: Resource, plural: str) -> Offered | None:
    """None where they cannot act on it. Raises `KubernetesError`."""
    viewer, key = request[VIEWER], resource.key
    if not request.app[SITE].settings.acts or viewer.client is None:
        return None
    if not await may(request, PATCH, plural, key.namespace, key.name):
        return None
    return Offered(viewer.csrf, suspension(resource.spec) is not None)


@routes.post("/objects/{plural}/{namespace}/{name}/{act:reconcile|suspend|resume}")
async def do(request: web.Request) -> web.Response:
    key, act = await _asked(request), request.match_info["act"]
    form = await form_of(request)
    check_csrf(form.get(CSRF_FIELD), request[VIEWER].csrf)
    try:
        await _send_and_hear(request, key, act, form)
    except KubernetesError as error:
        refused = error.status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}
        _note(request, act, "refused" if refused else "failed", key, str(error))
        status = HTTPStatus.FORBIDDEN if refused else HTTPStatus.BAD_GATEWAY
        title = "Kubernetes does not let you do that" if refused else "Kubernetes did not do that"
        return render(request, "error.html", status, title=title, text=str(error), back=_object(request))
    _note(request, act, "done", key)
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: _object(request)})


def _object(request: web.Request) -> str:
    """The page that the form is on."""
    return str(request.rel_url.parent)


async def _asked(request: web.Request) -> Key:
    """Raises `HTTPNotFound` for what they may not see, as for what is not there, and where nobody may act."""
    site = request.app[SITE]
    plural, namespace, name = (request.match_info[part] for part in ("plural", "namespace", "name"))
    for names in site.view.kinds:
        key = Key(names.kind, namespace, name)
        if names.plural == plural and site.settings.acts and site.view.get(key) and (await sight(request)).sees(key):
            return key
    raise web.HTTPNotFound


async def _send_and_hear(request: web.Request, key: Key, act: str, form: Mapping[str, Any]) -> None:
    """Raises `KubernetesError`."""
    heard = asyncio.Event()
    end = request.app[SITE].view.subscribe(lambda changed: heard.set() if changed == key else None)
    try:
        await _send(request, key, act, form)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARD):
                await heard.wait()
    finally:
        end()


async def _send(request: web.Request, key: Key, act: str, form: Mapping[str, Any]) -> None:
    """Raises `KubernetesError`."""
    connect = request[VIEWER].client
    if connect is None:
        raise KubernetesError(HTTPStatus.FORBIDDEN, "NoToken", "the proxy before this page passes on no token of yours")
    kinds = Kinds(request.app[SITE].view.kinds)
    async with connect() as client:
        await _act(client, kinds, key, act, form)


async def _act(client: KubernetesClient, kinds: Kinds, key: Key, act: str, form: Mapping[str, Any]) -> None:
    if act == "reconcile":
        await acts.request_reconcile(client, kinds, [key], lambda _done, _of: None)
    elif act == "resume":
        await acts.resume(client, kinds, key)
    else:
        hours = str(form.get("hours", ""))
        if hours not in {str(number) for _, number in HOURS}:
            raise web.HTTPBadRequest(text="Choose for how long.\n")
        await acts.suspend(client, kinds, key, moments.present() + timedelta(hours=int(hours)))


def _note(request: web.Request, act: str, outcome: str, key: Key, cause: str = "") -> None:
    audit.note(request[IDENTITY], act, outcome, address=address_of(request), target="/".join(key), cause=cause)
