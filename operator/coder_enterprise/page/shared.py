"""A page that many look at is made once: those who see the same objects, and ask the same, are given the same body.

Used by the handlers of pages that say the same to all of these; what is there for one person alone is in the frame
around it (`page.rendering`). A body is given only to who asked before it was made, so that nobody is shown less than
what they have been told of; and only for a moment, for not all on a page is told of when it changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from aiohttp import web

from coder_enterprise.page.rendering import Body, body, framed
from coder_enterprise.page.sight import Sight, sight
from coder_enterprise.page.site import SITE

FRESH: Final = 1.0
"""Seconds that a body is given to others."""
MOST: Final = 16
"""Bodies: some hundred kilobytes at most, each."""


class Question(NamedTuple):
    """All that a body depends on, beside what the operator knows."""

    template: str
    asked: Hashable
    see: Sight


@dataclass(frozen=True, slots=True)
class _Made:
    body: Body
    revision: int
    until: float


class Bodies:
    def __init__(self) -> None:
        self._made: dict[Question, _Made] = {}
        self._forgetting: asyncio.TimerHandle | None = None

    def find(self, question: Question, revision: int) -> Body | None:
        """One that is of that revision or a later one."""
        made = self._made.get(question)
        fresh = made is not None and made.revision >= revision and asyncio.get_running_loop().time() < made.until
        return made.body if made is not None and fresh else None

    def keep(self, question: Question, made: Body, revision: int) -> None:
        self._made.pop(question, None)
        while len(self._made) >= MOST:
            del self._made[next(iter(self._made))]
        loop = asyncio.get_running_loop()
        self._made[question] = _Made(made, revision, loop.time() + FRESH)
        if self._forgetting is None:
            self._forgetting = loop.call_later(FRESH, self._forget)

    def _forget(self) -> None:
        loop = asyncio.get_running_loop()
        self._made = {question: made for question, made in self._made.items() if loop.time() < made.until}
        self._forgetting = loop.call_later(FRESH, self._forget) if self._made else None


BODIES: Final = web.AppKey("bodies", Bodies)


def set_up(app: web.Application) -> None:
    app[BODIES] = Bodies()


async def share(
    request: web.Request, template: str, asked: Hashable, make: Callable[[Sight], dict[str, Any]]
) -> web.Response:
    """`make` gives the values of the template, from `asked` and what somebody sees who sees so much: it must ask
    nothing else of the request."""
    view, bodies = request.app[SITE].view, request.app[BODIES]
    arrived = view.revision
    see = await sight(request)
    question = Question(template, asked, see)
    found = bodies.find(question, arrived)
    if found is None:
        revision = view.revision
        found = body(request, template, make(see))
        bodies.keep(question, found, revision)
    return framed(request, found)
