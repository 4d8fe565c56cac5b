"""Gives the operator's objects back before it is removed: nothing keeps them from being deleted afterwards.

Called by `coder-enterprise release`, which the Helm chart runs before an uninstall. It ends the operator's Deployment
first, because an operator at work puts its finalizer back; its Leases go with it. It asks Coder for nothing and changes
nothing there.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from coder_enterprise.client.concurrency import each
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Gone, KubernetesError
from coder_enterprise.cluster.marks import OPERATOR_LABEL
from coder_enterprise.cluster.paths import LEASES, WORKLOADS, custom
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.machinery.resource import FINALIZER, Resource

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


async def remove_leases(client: KubernetesClient, namespace: str, name: str) -> int:
    """Those of operators that were started with that lease name and are gone; how many. Raises `KubernetesError`."""
    count = 0
    async for page in client.pages(LEASES, namespace, f"{OPERATOR_LABEL}={name}"):
        for body in page:
            with contextlib.suppress(Gone):
                await client.delete(LEASES, namespace, body["metadata"]["name"])
                count += 1
    return count


class Release:
    """Takes our finalizer and claim away from all objects of the kinds in `plurals` (kind to plural)."""

    def __init__(
        self,
        client: KubernetesClient,
        plurals: Mapping[str, str],
        say: Callable[[str], None],
        *,
        skip_forbidden: bool = False,
    ) -> None:
        """`say` is told of each object that was changed, and of what is skipped."""
        self._client = client
        self._plurals = plurals
        self._writer = Writer(client, Store(lambda _: (), lambda *_: None), plurals, lambda _: None)
        self._say = say
        self._skip_forbidden = skip_forbidden

    async def run(self, namespaces: Sequence[str] = ()) -> int:
        """In these namespaces, or in all; how many objects were changed. Raises `KubernetesError`."""
        return sum([await self._namespace(namespace) for namespace in namespaces or (None,)])

    async def _namespace(self, namespace: str | None) -> int:
        count = 0
        try:
            for kind in self._plurals:
                count += await self._kind(kind, namespace)
        except KubernetesError as error:
            if error.status != HTTPStatus.FORBIDDEN or not self._skip_forbidden:
                raise
            self._say(f"skipped: {error}")
        return count

    async def _kind(self, kind: str, namespace: str | None) -> int:
        released: list[Resource] = []

        async def release(resource: Resource) -> None:
            with contextlib.suppress(Gone):
                await self._writer.release(resource)
                self._say(f"{resource.key}: released")
                released.append(resource)

        with contextlib.suppress(Gone):  # the kind is not installed, or not any more
            async for page in self._client.pages(custom(self._plurals[kind]), namespace):
                found = [Resource.from_body(kind, body) for body in page]
                await each((item for item in found if FINALIZER in item.finalizers), release, AT_A_TIME)
        return len(released)
