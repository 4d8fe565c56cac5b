"""Gives the operator's objects back before it is removed: nothing keeps them from being deleted afterwards.

Called by `coder-enterprise release`, which the Helm chart runs before an uninstall. It ends the operator's Deployment
first, because an operator at work puts its finalizer back. It asks Coder for nothing and changes nothing there.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from coder_enterprise.controller.kubernetes import WORKLOADS, Gone, KubernetesClient, custom
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.resource import FINALIZER, Key, Resource

AT_A_TIME: Final = 32
POLL: Final = 0.5
"""Seconds between two looks at a Deployment that is ending."""


async def end_operator(client: KubernetesClient, namespace: str, name: str, timeout: float) -> bool:
    """Delete that Deployment and wait until its pods are gone; False when they are not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    try:
        await client.delete(WORKLOADS, namespace, name, propagation="Foreground")
        while time.monotonic() < deadline:
            await client.get(WORKLOADS, namespace, name)
            await asyncio.sleep(POLL)
    except Gone:
        return True
    return False


class Release:
    """Takes our finalizer and claim away from all objects of the kinds in `plurals` (kind to plural)."""

    def __init__(
        self, client: KubernetesClient, plurals: Mapping[str, str], released: Callable[[Key], None] = lambda _: None
    ) -> None:
        """`released` is told each object that was changed."""
        self._client = client
        self._plurals = plurals
        self._writer = Writer(client, Store(lambda _: (), lambda *_: None), plurals, lambda _: None)
        self._released = released
        self._turns = asyncio.Semaphore(AT_A_TIME)

    async def run(self, namespaces: Sequence[str] = ()) -> int:
        """In these namespaces, or in all; how many objects were changed. Raises `KubernetesError`."""
        return sum([await self._kind(kind, namespace) for kind in self._plurals for namespace in namespaces or (None,)])

    async def _kind(self, kind: str, namespace: str | None) -> int:
        count = 0
        with contextlib.suppress(Gone):  # the kind is not installed, or not any more
            async for page in self._client.pages(custom(self._plurals[kind]), namespace):
                found = [Resource.from_body(kind, body) for body in page]
                held = [resource for resource in found if FINALIZER in resource.finalizers]
                count += sum(await asyncio.gather(*map(self._object, held)))
        return count

    async def _object(self, resource: Resource) -> bool:
        async with self._turns:
            try:
                await self._writer.release(resource)
            except Gone:
                return False
        self._released(resource.key)
        return True
