"""The objects of our kinds as they change: what `coder-enterprise status --watch` draws from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from coder_enterprise.cluster import watching
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.paths import custom
from coder_enterprise.kinds.machinery.resource import Key, Names, Resource

BREATH: Final = 0.5
"""Seconds between two looks at least: a thousand changes are one picture."""
REDRAW: Final = 10.0
"""Seconds after which ages are drawn anew although nothing has changed."""


class Live:
    def __init__(self, client: KubernetesClient, kinds: Iterable[Names], namespace: str | None) -> None:
        self._client = client
        self._kinds = tuple(kinds)
        self._namespace = namespace
        self._known: dict[str, dict[Key, Resource]] = {}
        self._changed = asyncio.Event()

    async def run(self, draw: Callable[[list[Resource]], None]) -> None:
        """Call `draw` with all objects, at first and after changes, for ever. Raises `KubernetesError`."""
        await asyncio.gather(self._draw(draw), *(self._keep(names) for names in self._kinds))

    async def _draw(self, draw: Callable[[list[Resource]], None]) -> None:
        while True:
            await self._wait()
            self._changed.clear()
            if len(self._known) == len(self._kinds):
                draw([resource for known in self._known.values() for resource in known.values()])
            await asyncio.sleep(BREATH)

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), REDRAW)
        except TimeoutError:
            return

    async def _keep(self, names: Names) -> None:
        async for seen in watching.follow(self._client, custom(names.plural), self._namespace):
            if isinstance(seen, watching.Listed):
                found = (Resource.from_body(names.kind, body) for body in seen.objects)
                self._known[names.kind] = {resource.key: resource for resource in found}
            else:
                resource = Resource.from_body(names.kind, seen.object)
                self._known[names.kind].pop(resource.key, None)
                if seen.type != "DELETED":
                    self._known[names.kind][resource.key] = resource
            self._changed.set()
