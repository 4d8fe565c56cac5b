"""Kubernetes events: said once per transition, aggregated, never in the way.

Used by the reconcilers. Events are queued and posted in the background; a repetition within ten minutes is
counted into the series of the first one. What cannot be posted is logged and dropped: status holds the truth.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import structlog

from coder_enterprise.client.clock import now
from coder_enterprise.client.sending import looking
from coder_enterprise.cluster.client import KubernetesClient, micro_time
from coder_enterprise.cluster.errors import Gone, KubernetesError
from coder_enterprise.cluster.marks import REPORTER
from coder_enterprise.cluster.paths import EVENTS
from coder_enterprise.kinds.machinery.resource import GROUP, VERSION, Key, Resource

NOTE_LIMIT: Final = 1024
SERIES_WINDOW: Final = 600.0
MAX_QUEUED: Final = 1000
MAX_SERIES: Final = 2000
MAX_KEPT: Final = 1000
"""Events that are remembered, for who may not read them in Kubernetes."""

log = structlog.get_logger(__name__)


class Sent(NamedTuple):
    """An event that was said, with its repetitions."""

    warns: bool
    reason: str
    note: str
    at: datetime
    """Last."""
    times: int


class Recorder:
    """Posts events for objects. `run` must be running for anything to be sent."""

    def __init__(self, client: KubernetesClient, fence: Callable[[], None] = lambda: None) -> None:
        """`fence` raises when this replica may not write any more."""
        self._client = client
        self._fence = fence
        self._queue: asyncio.Queue[tuple[Resource, str, str, str, str]] = asyncio.Queue(MAX_QUEUED)
        self._series: OrderedDict[tuple[str, str, str], tuple[float, str, int]] = OrderedDict()
        self._kept: OrderedDict[tuple[Key, str, str], Sent] = OrderedDict()
        self._instance = socket.gethostname()[:128]

    def normal(self, resource: Resource, reason: str, action: str, note: str) -> None:
        self._put(resource, "Normal", reason, action, note)

    def warning(self, resource: Resource, reason: str, action: str, note: str) -> None:
        self._put(resource, "Warning", reason, action, note)

    def about(self, key: Key) -> list[Sent]:
        """What was said of that object lately, the newest first; whether Kubernetes took it, is not known here."""
        return [sent for (about, *_), sent in reversed(self._kept.items()) if about == key]

    async def run(self) -> None:
        """Post what is queued, until cancelled."""
        while True:
            await self._post(*await self._queue.get())
            self._queue.task_done()

    async def drain(self) -> None:
        """Wait until all that is queued now is posted or dropped."""
        await self._queue.join()

    def _put(self, resource: Resource, type_: str, reason: str, action: str, note: str) -> None:
        self._keep(resource.key, type_, reason, note[:NOTE_LIMIT])
        try:
            self._queue.put_nowait((resource, type_, reason, action, note))
        except asyncio.QueueFull:
            log.warning("event dropped", object=str(resource.key), reason=reason)

    def _keep(self, key: Key, type_: str, reason: str, note: str) -> None:
        known = self._kept.pop((key, reason, note), None)
        times = known.times + 1 if known else 1
        self._kept[key, reason, note] = Sent(type_ == "Warning", reason, note, datetime.now(UTC), times)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    async def _post(self, resource: Resource, type_: str, reason: str, action: str, note: str) -> None:
        namespace = resource.key.namespace
        moment = now()
        series = (resource.uid, reason, note)
        first_at, name, count = self._series.get(series, (float("-inf"), "", 0))
        try:
            if moment - first_at < SERIES_WINDOW and await self._count(namespace, name, count + 1):
                self._remember(series, (first_at, name, count + 1))
                return
            body = self._event(resource, type_, reason, action, note)
            with looking(self._fence):
                created = await self._client.create(EVENTS, namespace, body)
            self._remember(series, (moment, created["metadata"]["name"], 1))
        except KubernetesError as error:
            log.info("event not posted", object=str(resource.key), reason=reason, error=str(error))

    async def _count(self, namespace: str, name: str, count: int) -> bool:
        """Into the series of an event; False when that is gone."""
        patch = {"series": {"count": count, "lastObservedTime": micro_time()}}
        try:
            with looking(self._fence):
                await self._client.patch(EVENTS, namespace, name, patch)
        except Gone:
            return False
        return True

    def _remember(self, series: tuple[str, str, str], seen: tuple[float, str, int]) -> None:
        self._series[series] = seen
        self._series.move_to_end(series)
        while len(self._series) > MAX_SERIES:
            self._series.popitem(last=False)

    def _event(self, resource: Resource, type_: str, reason: str, action: str, note: str) -> dict[str, Any]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{resource.key.name[:200]}.{secrets.token_hex(8)}",
                "namespace": resource.key.namespace,
            },
            "regarding": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": resource.key.kind,
                "namespace": resource.key.namespace,
                "name": resource.key.name,
                "uid": resource.uid,
                "resourceVersion": resource.resource_version,
            },
            "eventTime": micro_time(),
            "type": type_,
            "reason": reason,
            "action": action,
            "note": note[:NOTE_LIMIT],
            "reportingController": REPORTER,
            "reportingInstance": self._instance,
        }
