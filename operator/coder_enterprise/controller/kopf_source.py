"""The only module that imports Kopf: it lists and watches, and tells what it saw.

Started by the manager. All else that Kopf offers (retries, timers, indexes, peering, finalizers) is off: it would
write to every object, or cost quadratic time at ten thousand of them. A relist does not report what vanished
meanwhile; the manager's sweep finds that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import kopf
from kopf._core.engines.peering import Identity
from kubernetes.aio.client import Configuration
from typing_extensions import override

from coder_enterprise.kinds.resource import GROUP, VERSION, WATCH_LABEL
from coder_enterprise.process.signals import when_told_to_end

BACKOFFS: Final = (0.5, 1.0, 2.0)

OnEvent = Callable[[str, str | None, Mapping[str, Any]], None]
"""Called with a plural, the event's type (None for what a list holds), and the object."""


class _Forever:
    """An endless, restartable series of delays. It has no length, or Kopf would give up at its end and exit."""

    def __iter__(self) -> Iterator[float]:
        yield from BACKOFFS
        while True:
            yield BACKOFFS[-1]


class _NoStorage(kopf.DiffBaseStorage, kopf.ProgressStorage):
    """Nothing is stored on objects, and nothing is computed for it."""

    @override
    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    @override
    def fetch(self, **_: Any) -> Any:
        return None

    @override
    def store(self, **_: Any) -> None:
        return None

    @override
    def purge(self, **_: Any) -> None:
        return None

    @override
    def touch(self, **_: Any) -> None:
        return None

    @override
    def clear(self, *, essence: Any) -> Any:
        return essence

    @override
    def flush(self) -> None:
        return None


@dataclass(frozen=True)
class Scope:
    """Which namespaces are watched; none named is all of them."""

    namespaces: tuple[str, ...] = ()


class KopfSource:
    def __init__(
        self,
        configuration: Configuration,
        plurals: Sequence[str],
        scope: Scope,
        on_event: OnEvent,
        identity: str,
    ) -> None:
        self._configuration = configuration
        self._scope = scope
        self._identity = identity
        self._registry = kopf.OperatorRegistry()
        for plural in plurals:
            self._watch(GROUP, VERSION, plural, on_event)
        self._watch("", "v1", "secrets", on_event)
        kopf.on.login(registry=self._registry)(self._login)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`, or until the process is asked to end, which sets it."""
        before = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=_settings(),
            clusterwide=not self._scope.namespaces,
            namespaces=self._scope.namespaces,
            identity=Identity(self._identity),  # it would ask for the user's name, and a pod's user may have none
            standalone=True,
            stop_flag=stop,
        )
        # Kopf has taken the signals, and would wait five seconds at its end for `stop`, which nobody had set.
        when_told_to_end(stop.set)
        await kopf.run_tasks(tasks, ignored=before)

    def _watch(self, group: str, version: str, plural: str, on_event: OnEvent) -> None:
        async def handle(event: kopf.RawEvent, **_: Any) -> None:
            on_event(plural, event["type"], event["object"])

        kopf.on.event(group, version, plural, registry=self._registry, id=f"watch-{plural}")(handle)

    async def _login(self, **_: Any) -> kopf.ConnectionInfo:
        settings = self._configuration
        scheme, space, token = (await settings.get_api_key_with_prefix("BearerToken") or "").partition(" ")
        return kopf.ConnectionInfo(
            server=settings.host,
            ca_path=settings.ssl_ca_cert,
            insecure=not settings.verify_ssl,
            scheme=scheme if space else None,
            token=token or None,
            certificate_path=settings.cert_file,
            private_key_path=settings.key_file,
            default_namespace="default",
        )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    storage = _NoStorage()
    settings.persistence.diffbase_storage = storage
    settings.persistence.progress_storage = storage
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    # Ending Kopf must never end the process by force: the manager drains first.
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 0.2
    settings.queueing.exit_timeout = 0.5
    settings.queueing.error_delays = BACKOFFS
    settings.watching.chunk_size = 500
    settings.watching.initial_streaming = False
    settings.watching.connect_timeout = 5
    settings.watching.inactivity_timeout = 70
    settings.watching.reconnect_backoff = 0.2
    settings.watching.label_selectors["v1", "secrets"] = f"{WATCH_LABEL}=true"
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _Forever()
    return settings
