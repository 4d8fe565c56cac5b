"""Which objects the person behind a request sees. Asked by every handler that shows objects, once for a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from typing_extensions import override

from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page.access.reviews import visible_namespaces
from coder_enterprise.page.site import SITE
from coder_enterprise.page.turns import turn


@dataclass(frozen=True, slots=True)
class Sight:
    namespaces: Mapping[str, frozenset[str] | None]
    """By kind; None is all of them."""

    @override
    def __hash__(self) -> int:
        return hash(frozenset(self.namespaces.items()))

    @property
    def whole(self) -> bool:
        """Nothing is hidden."""
        return all(spaces is None for spaces in self.namespaces.values())

    def sees(self, key: Key) -> bool:
        """A kind that is not ours, such as a Secret, nobody sees here."""
        return self.shows(key.kind, key.namespace)

    def shows(self, kind: str, namespace: str) -> bool:
        """Whether they see the objects of that kind there."""
        spaces = self.namespaces.get(kind, frozenset())
        return spaces is None or namespace in spaces


SIGHT: Final = web.RequestKey("sight", Sight)
"""As it was asked last for the request."""


def seen_deployments(view: View, see: Sight) -> list[Key]:
    """By namespace and name."""
    return [resource.key for resource in view.deployments() if see.sees(resource.key)]


async def sight(request: web.Request) -> Sight:
    """And a turn to make something of them. Raises what `access.reviews` raises for somebody who is nobody any more."""
    kinds = request.app[SITE].view.kinds
    found = Sight({names.kind: await visible_namespaces(request, names.plural) for names in kinds})
    request[SIGHT] = found
    await turn(request)
    return found
