"""Whether a request comes from a page of ours, in a browser that was not led here by another name.

Called by the gate before anybody is asked who they are. A browser sends a person's rights along with whatever it is
told to by any site; these checks are what keeps other sites from using them.
"""

from __future__ import annotations

import hmac
import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

READING: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
CSRF_FIELD: Final = "csrf"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_PATH: Final = re.compile(r"/(?!/)[!-\[\]-~]*")
"""Printable ASCII without the backslash, which browsers read as a slash."""


class NotHere(Exception):
    """Why a request is refused, whoever sends it."""


def check_host(request: web.Request, *, loopback: bool) -> None:
    """Raises `NotHere` for a request under a name that is not ours: a site whose name leads to this machine all of a
    sudden reads what only this machine may. `loopback`: we are reached under the names of the machine itself alone."""
    hosts = request.headers.getall(hdrs.HOST, [])
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if found is None:
        raise NotHere("the header Host is not one name")
    if loopback and found["name"].lower() not in LOOPBACK:
        raise NotHere("this page is known as localhost alone")


def check_site(request: web.Request, *, bearers: bool) -> None:
    """Raises `NotHere` for a write that no page of ours has sent, and for a read that is part of another's page.

    `bearers`: who sends a token along does so by themselves, as no browser does; through a proxy, everybody seems to.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if request.method in READING:
        if site in {"cross-site", "same-site"} and request.headers.get("Sec-Fetch-Mode") != "navigate":
            raise NotHere("another site may link to this page, and not read it")
        return
    if site is not None:
        if site != "same-origin":
            raise NotHere("the request comes from another site")
    elif not (_is_own(request) or (bearers and _is_no_browser(request))):
        raise NotHere("the request does not say that it comes from this page")


def check_csrf(given: object, expected: str) -> None:
    """Raises `NotHere` for a form that this page has not made for the same person. Who sends a token with each request
    has none to be expected."""
    text = given if isinstance(given, str) else ""
    if not hmac.compare_digest(text.encode(errors="replace"), expected.encode()):
        raise NotHere("the form is not one of yours; load the page anew")


def own_path(text: object) -> str:
    """A path of this page, to go on to; / for whatever would lead elsewhere."""
    return text if isinstance(text, str) and _PATH.fullmatch(text) else "/"


def _is_no_browser(request: web.Request) -> bool:
    """A browser that does not say the site of what it sends says its origin."""
    return hdrs.AUTHORIZATION in request.headers and hdrs.ORIGIN not in request.headers


def _is_own(request: web.Request) -> bool:
    origin = urlsplit(request.headers.get(hdrs.ORIGIN, ""))
    return origin.scheme in {"http", "https"} and origin.netloc.lower() == request.headers.get(hdrs.HOST, "").lower()
