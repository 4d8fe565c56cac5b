"""Pages that are shown to whom nobody knows yet: refusals, and the form for signing in. They show no object."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import hdrs, web

from coder_enterprise.page.site import SITE


def page(
    request: web.Request,
    status: HTTPStatus,
    title: str,
    message: str,
    *,
    onwards: str = "",
    sign_in: bool = False,
    next_: str = "/",
) -> web.Response:
    """`onwards`: where the browser goes by itself; `sign_in`: with the form, which leads on to `next_`. In plain text
    for programs."""
    if not (wants_html(request) or sign_in):
        return web.Response(status=status, text=f"{title}: {message}\n")
    template = request.app[SITE].templates.get_template("access.html")
    text = template.render(title=title, message=message, onwards=onwards, sign_in=sign_in, next=next_)
    return web.Response(status=status, text=text, content_type="text/html")


def wants_html(request: web.Request) -> bool:
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")
