"""Who looks at a page, and what they may: all that handlers know of access.

The gate makes a `Viewer` for each request. What is shown is asked here first: a list with `visible_namespaces`, an
object with `may`, each line of a stream again. A name or a number that a person may not list is not there for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from coder_enterprise.client.concurrency import together
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.page.access.authority import Authority, Question
from coder_enterprise.page.access.identity import Identity
from coder_enterprise.page.access.namespaces import Namespaces


@dataclass(frozen=True)
class Rights:
    """Where it is asked what somebody may, and of which namespaces."""

    authority: Authority
    namespaces: Namespaces


@dataclass(frozen=True)
class Viewer:
    identity: Identity
    rights: Rights | None = field(default=None, repr=False)
    """None: they see what the operator sees."""
    csrf: str = field(default="", repr=False)
    """What forms send along; "" where nobody can write."""
    has_session: bool = False
    """Which they can end."""
    still: Callable[[], Awaitable[bool]] | None = field(default=None, repr=False)
    """Whether they are still who they were; None where that is asked with each request alone."""
    client: Callable[[], KubernetesClient] | None = field(default=None, repr=False)
    """For requests to Kubernetes as this person; None where the page has no token of theirs."""

    async def may(self, verb: str, plural: str, namespace: str, name: str = "") -> bool:
        """A namespace of "" is all of them, a name of "" every object. Raises `KubernetesError`."""
        if self.rights is None:
            return True
        return await self.rights.authority.may(Question(self.identity, verb, plural, namespace, name))

    async def visible_namespaces(self, plural: str) -> frozenset[str] | None:
        """Where they may list objects of that plural, of where there are any; None is all. Raises `KubernetesError`."""
        if self.rights is None or await self.may("list", plural, ""):
            return None
        names = sorted(self.rights.namespaces.having(plural))
        allowed = await together(self.may("list", plural, name) for name in names)
        return frozenset(name for name, may in zip(names, allowed, strict=True) if may)

    async def is_still_there(self) -> bool:
        """For what goes on after the answer has begun. Raises `KubernetesError`."""
        return self.still is None or await self.still()


VIEWER: Final = web.RequestKey("viewer", Viewer)


async def may(request: web.Request, verb: str, plural: str, namespace: str, name: str = "") -> bool:
    """Whether they may do that to the objects of that kind there. Raises `KubernetesError` when it cannot be asked."""
    return await (await _present(request)).may(verb, plural, namespace, name)


async def visible_namespaces(request: web.Request, plural: str) -> frozenset[str] | None:
    """Where they may list objects of that kind; None is everywhere. Raises `KubernetesError`."""
    return await (await _present(request)).visible_namespaces(plural)


async def _present(request: web.Request) -> Viewer:
    """Asked again and again by what goes on after its answer has begun. Raises `HTTPUnauthorized` for who is nobody
    any more, and `KubernetesError`."""
    viewer = request[VIEWER]
    if not await viewer.is_still_there():
        raise web.HTTPUnauthorized(text="Not signed in: the session or the token is over.\n")
    return viewer
