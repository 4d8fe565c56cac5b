"""What a person sees of a page that is not there, or that failed: in the looks of the others, without a traceback."""

from __future__ import annotations

import errno
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from coder_enterprise.page.rendering import render

WORDS: Final = {
    HTTPStatus.NOT_FOUND: ("There is no such page", "Or you may not see what is on it."),
    HTTPStatus.FORBIDDEN: ("You may not do that", "Ask for the right to, or sign in as somebody who has it."),
}
FAULT: Final = ("This page failed", "The operator's log says why. All else goes on.")

log = structlog.get_logger(__name__)


@web.middleware
async def failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status not in WORDS:
            raise
        return _said(request, HTTPStatus(error.status))
    except ConnectionError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # no file of ours is called so
            return _said(request, HTTPStatus.NOT_FOUND)
        log.exception("the page failed", path=request.path)
        title, text = FAULT
        return render(request, "error.html", HTTPStatus.INTERNAL_SERVER_ERROR, title=title, text=text, back="")


def _said(request: web.Request, status: HTTPStatus) -> web.Response:
    title, text = WORDS[status]
    return render(request, "error.html", status, title=title, text=text, back="")
