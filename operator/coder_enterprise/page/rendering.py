"""From a template and values to an answer. Called by every handler that shows a page.

A page is a body, which says what was asked for, in a frame, which is there for who asks. All values are escaped,
whoever wrote them; a name that a template misspells is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from coder_enterprise import __version__
from coder_enterprise.kinds.machinery import moments
from coder_enterprise.kinds.machinery.resource import Key, Names
from coder_enterprise.kinds.machinery.texts import clipped
from coder_enterprise.oncall.standing import Standing, moment
from coder_enterprise.page.access.identity import LOCAL
from coder_enterprise.page.access.reviews import VIEWER, Viewer
from coder_enterprise.page.grafana import dashboard
from coder_enterprise.page.live import STREAMS
from coder_enterprise.page.searches import MAX_SEARCH
from coder_enterprise.page.sight import SIGHT
from coder_enterprise.page.site import SITE

TEMPLATES: Final = Path(__file__).parent / "templates"
NAVIGATION: Final = (
    ("/", "Overview"),
    ("/objects", "Objects"),
    ("/journal", "Journal"),
    ("/people", "People"),
    ("/templates", "Templates"),
)
"""Paths, and what the links to them say."""
NOBODY: Final = Viewer(LOCAL)
"""For whom a refusal is."""
THEMES: Final = ("light", "dark")
BAD_WHEN_TRUE: Final = {"Reconciling": "waiting", "Stalled": "stalled"}
LONGEST: Final = 2000
"""Characters of a text, whoever wrote it."""


class Body(NamedTuple):
    """What a page says, with nothing in it of who looks."""

    seen: str
    """The number of what it was made of, in the words of `page.live`."""
    title: Markup
    about: Markup
    """Whose changes are seen on it."""
    searched: Markup
    main: Markup


@cache
def environment(kinds: tuple[Names, ...], grafana: str = "") -> Environment:
    """With all templates compiled: that takes a tenth of a second, for which nobody shall wait who looks."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    plurals = {names.kind: names.plural for names in kinds}
    made.filters |= {
        "ago": ago,
        "clip": clip,
        "condition_state": condition_state,
        "dashboard_url": partial(dashboard, grafana),
        "clock": lambda at: f"{at:%H:%M:%S} UTC",
        "is_web": is_web,
        "iso": moments.timestamp,
        "marked": marked,
        "moment": moment,
        "number": lambda number: f"{number:,}",
        "object_url": lambda key: object_url(plurals, key),
    }
    made.globals |= {"max_search": MAX_SEARCH, "navigation": NAVIGATION, "version": __version__}
    for name in made.list_templates():
        made.get_template(name)
    return made


def render(request: web.Request, template: str, status: int = HTTPStatus.OK, /, **values: Any) -> web.Response:
    """A page that is made for this request alone."""
    return framed(request, body(request, template, values), status)


def body(request: web.Request, template: str, values: Mapping[str, Any]) -> Body:
    """Templates of pages can use `whole` beside `values`: nothing is hidden from who looks."""
    see = request.get(SIGHT)
    given = {**values, "whole": see is None or see.whole}
    parts = request.app[SITE].templates.get_template(template).make_module(given)
    return Body(request.app[STREAMS].number(see), *(getattr(parts, name) for name in Body._fields[1:]))


def framed(request: web.Request, inside: Body, status: int = HTTPStatus.OK) -> web.Response:
    site, viewer = request.app[SITE], request.get(VIEWER, NOBODY)
    theme = request.cookies.get("theme")
    text = site.templates.get_template("frame.html").render(
        body=inside,
        path=request.path,
        identity=viewer.identity,
        csrf=viewer.csrf,
        signs_out=viewer.has_session,
        listed=site.view.listed,
        now=moments.present(),
        theme=theme if theme in THEMES else "",
    )
    return web.Response(text=text, status=status, content_type="text/html")


def ago(at: datetime) -> str:
    """How long ago that was, in its greatest unit."""
    seconds = max(0, int((moments.present() - at).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def clip(text: object, longest: int = LONGEST) -> str:
    return clipped(str(text), longest)


def marked(text: str) -> Markup:
    """Words of our own, in which backticks are around code."""
    parts = (Markup("<code>{}</code>").format(part) if odd else escape(part) for odd, part in _alternating(text))
    return Markup("").join(parts)


def _alternating(text: str) -> Iterator[tuple[bool, str]]:
    return ((bool(number % 2), part) for number, part in enumerate(text.split("`")))


def condition_state(condition: Standing) -> str:
    """The icon of a condition; Reconciling and Stalled are there only while something is not well."""
    if condition.type in BAD_WHEN_TRUE:
        return BAD_WHEN_TRUE[condition.type] if condition.ready else "ready"
    return "ready" if condition.ready else "stalled" if condition.status == "False" else "waiting"


def is_web(url: str) -> bool:
    """Whether it may be a link."""
    return url.lower().startswith(("http://", "https://"))


def object_url(plurals: Mapping[str, str], key: Key) -> str:
    """ "" of what is no object of our kinds."""
    parts = (plurals[key.kind], key.namespace, key.name) if key.kind in plurals else ()
    return "/".join(["/objects", *(quote(part, safe="") for part in parts)]) if parts else ""
