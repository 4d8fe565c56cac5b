"""`/login` and `/logout`, in the mode `kubernetes`: from a bearer token to a session, and its end.

The token is asked for once, reviewed, and kept by `sessions`; it is in no address, no cookie, no answer and no log.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from coder_enterprise.page.access import audit
from coder_enterprise.page.access.forms import form_of
from coder_enterprise.page.access.gate import COOKIE, GATE, HOST_COOKIE, address_of
from coder_enterprise.page.access.identity import IDENTITY
from coder_enterprise.page.access.origin import CSRF_FIELD, check_csrf, own_path
from coder_enterprise.page.access.reviews import VIEWER
from coder_enterprise.page.access.shown import page

TITLE: Final = "Sign in"
routes = web.RouteTableDef()


@routes.get("/login")
async def ask(request: web.Request) -> web.Response:
    return page(request, HTTPStatus.OK, TITLE, "", sign_in=True, next_=own_path(request.query.get("next")))


@routes.post("/login")
async def sign_in(request: web.Request) -> web.Response:
    gate = request.app[GATE]
    form = await form_of(request)
    token, next_ = form.get("token"), own_path(form.get("next"))
    identity = await gate.whose(token.strip() if isinstance(token, str) else "", address_of(request))
    if identity is None or not isinstance(token, str):
        said = "Kubernetes does not accept this token. It may be over; get a new one."
        return page(request, HTTPStatus.UNAUTHORIZED, TITLE, said, sign_in=True, next_=next_)
    gate.sign_out(request)
    audit.note(identity, "sign in", "done", address=address_of(request))
    answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: next_})
    name = HOST_COOKIE if _is_https(request) else COOKIE
    session = gate.sessions.begin(identity, token.strip(), name)
    answer.set_cookie(name, session, secure=True, httponly=True, samesite="Strict", path="/")
    return answer


@routes.post("/logout")
async def sign_out(request: web.Request) -> web.Response:
    form = await form_of(request)
    check_csrf(form.get(CSRF_FIELD), request[VIEWER].csrf)
    request.app[GATE].sign_out(request)
    audit.note(request[IDENTITY], "sign out", "done", address=address_of(request))
    answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: "/login"})
    for name in (HOST_COOKIE, COOKIE):
        answer.del_cookie(name, secure=True, httponly=True, samesite="Strict", path="/")
    return answer


def _is_https(request: web.Request) -> bool:
    """For the browser, whatever is between it and the page."""
    return request.secure or request.headers.get(hdrs.ORIGIN, "").startswith("https://")


FOR_EVERYBODY: Final = frozenset({ask, sign_in})
"""Handlers that ask nobody who they are."""
