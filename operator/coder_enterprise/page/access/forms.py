"""What a form of the page has sent. Read by those who take one; what is no such form is refused, and is in no log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestPayloadError

FORM: Final = "application/x-www-form-urlencoded"
CHARSET: Final = "utf-8"
"""No other: some that Python knows take seconds for what fits into a form, and nobody has signed in yet."""


async def form_of(request: web.Request) -> Mapping[str, Any]:
    """Empty where nothing was sent. Raises `HTTPUnsupportedMediaType` and `HTTPBadRequest`."""
    if not request.can_read_body:
        return {}
    if request.content_type != FORM or not _is_plain(request):
        raise web.HTTPUnsupportedMediaType(text=f"A form is sent as {FORM}, in {CHARSET}, and not compressed.\n")
    try:
        return await request.post()
    except (ValueError, RequestPayloadError):
        raise web.HTTPBadRequest(text="The form cannot be read.\n") from None


def _is_plain(request: web.Request) -> bool:
    return (request.charset or CHARSET).lower() == CHARSET and hdrs.CONTENT_ENCODING not in request.headers
