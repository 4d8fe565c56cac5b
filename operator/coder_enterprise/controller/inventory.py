"""Makes the store hold what the cluster holds: lists everything at the start, and compares from time to time.

Owned by the engine. The watch is what keeps the store up to date; this is the net below it. A watch does not tell what
vanished while nobody watched, and may miss a change: comparing versions finds both within minutes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Gone, KubernetesError
from coder_enterprise.cluster.paths import custom
from coder_enterprise.controller import metrics
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.machinery.resource import Key, Resource

SWEEP_INTERVAL: Final = 300.0
GRACE: Final = 5.0
"""Seconds for which a change may be on its way through the watch."""
ABSENT: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
"""A kind that may not be listed, or is not installed, keeps no other waiting."""

log = structlog.get_logger(__name__)


class Inventory:
    def __init__(
        self,
        client: KubernetesClient,
        store: Store,
        kind_of: Mapping[str, str],
        namespaces: Sequence[str],
        missed: Callable[[str], None],
    ) -> None:
        """`kind_of` has kinds by plural; `missed` is told the plural of a kind whose watch did not tell of a change."""
        self._client = client
        self._store = store
        self._kind_of = kind_of
        self._namespaces = tuple(namespaces) or (None,)
        self._missed = missed
        self._listed: set[str] = set()
        self.complete = False
        """The store holds everything, but for kinds that are absent."""

    async def load(self) -> None:
        """Fill the store before anything is decided, since who is older matters. A kind that is absent is left out;
        raises `KubernetesError` for all else, and may be called again then."""
        for plural in self._kind_of:
            try:
                await self.look(plural)
            except KubernetesError as error:
                if error.status not in ABSENT:
                    raise
        self.complete = True
        log.info("listed", objects=len(self._store))

    async def look(self, plural: str, heard: Callable[[], None] = lambda: None) -> None:
        """Raises `KubernetesError` unless that kind can be listed; lists it, if that was not done before. `heard` is
        told of each page."""
        if plural in self._listed or plural not in self._kind_of:
            return
        late = []
        for namespace in self._namespaces:
            async for page in self._client.pages(custom(plural), namespace):
                heard()
                resources = [Resource.from_body(self._kind_of[plural], body) for body in page]
                if self.complete:
                    late += resources
                else:
                    self._put(resources)
        # At once: reconciles go on, and nothing may be decided while the store has only a part of them.
        self._put(late)
        self._listed.add(plural)

    async def sweep(self) -> None:
        """Compare for ever, each kind by itself."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL * random.uniform(0.8, 1.0))  # noqa: S311
            for plural in sorted(self._listed):
                try:
                    await self.compare(plural)
                except KubernetesError as error:
                    log.warning("sweep failed", plural=plural, error=str(error))

    async def compare(self, plural: str) -> None:
        """Forget what vanished, and read what changed without being told of."""
        kind = self._kind_of[plural]
        before = [resource for resource in self._store if resource.key.kind == kind]
        present: set[str] = set()
        changed: list[Mapping[str, Any]] = []
        for namespace in self._namespaces:
            async for page in self._client.pages(custom(plural), namespace, metadata_only=True):
                metadata = [body["metadata"] for body in page]
                present.update(meta["uid"] for meta in metadata)
                changed += [meta for meta in metadata if self._is_behind(kind, meta)]
        for resource in before:
            if resource.uid not in present:
                self._store.remove(resource.key, resource.uid)
        await self._catch_up(plural, changed)

    async def _catch_up(self, plural: str, changed: Sequence[Mapping[str, Any]]) -> None:
        if not changed:
            return
        await asyncio.sleep(GRACE)
        kind = self._kind_of[plural]
        missed = [meta for meta in changed if self._is_behind(kind, meta)]
        if not missed:
            return
        log.warning("the watch missed changes", plural=plural, count=len(missed))
        metrics.watch_missed.labels(plural).inc(len(missed))
        for meta in missed:
            try:
                body = await self._client.get(custom(plural), meta["namespace"], meta["name"])
            except Gone:
                continue
            self._store.put(Resource.from_body(kind, body))
        self._missed(plural)

    def _is_behind(self, kind: str, meta: Mapping[str, Any]) -> bool:
        """Whether the store has an older version, or none and has not seen it go either."""
        known = self._store.get(Key(kind, meta["namespace"], meta["name"]))
        if known is None or known.uid != meta["uid"]:
            return not self._store.is_gone(meta["uid"])
        return int(known.resource_version) < int(meta["resourceVersion"])

    def _put(self, resources: Iterable[Resource]) -> None:
        for resource in resources:
            self._store.put(resource)
