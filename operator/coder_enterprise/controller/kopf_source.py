"""The only module that imports Kopf: it lists and watches, and tells what it saw.

Started by `controller.watches`, anew whenever it ends. All else that Kopf offers (retries, timers, indexes, peering,
finalizers) is off: it would write to every object, or cost quadratic time at ten thousand of them. What is relied on,
and what was found, is in docs/explanation/kopf.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import kopf

# Private: `kopf.spawn_tasks` takes memories, and Kopf does not name their class anywhere else.
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory
from typing_extensions import override

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.controller.watch import Watch, WatchTimes
from coder_enterprise.controller.watch_session import IsKnown, Observer
from coder_enterprise.controller.watches import SourceStuck

BACKOFFS: Final = (0.5, 1.0, 2.0)
EXIT_ATTEMPTS: Final = 2
REQUEST_TIMEOUT: Final = 30.0
"""Seconds for a page of a list."""

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


class _Forgetful(ResourceMemories):
    """Keeps nothing of an object when its event is handled: daemons, timers, indexes and patches are off."""

    @override
    async def recall(
        self,
        raw_body: kopf.RawBody,
        *,
        memobase: Any = None,
        noticed_by_listing: bool = False,
        ephemeral: bool = False,
    ) -> ResourceMemory:
        return await super().recall(raw_body, memobase=memobase, noticed_by_listing=noticed_by_listing, ephemeral=True)


def memories() -> ResourceMemories:
    """What Kopf remembers of objects: nothing, where it would take a kilobyte for each."""
    return _Forgetful()


class KopfSource:
    """One list and watch, by a Kopf of its own: what ends it ends no other. It runs once."""

    def __init__(
        self,
        watch: Watch,
        client: KubernetesClient,
        on_event: OnEvent,
        identity: str,
        take_signals: Callable[[], None],
        times: WatchTimes,
        is_known: IsKnown = lambda *_: False,
    ) -> None:
        """`take_signals` is called when Kopf has taken the process's signals, to take them back; a list does not tell
        of what `is_known`."""
        self._watch = watch
        self._client = client
        self._on_event = on_event
        self._identity = identity
        self._take_signals = take_signals
        self._times = times
        self._observer = Observer(watch, times, client.explain, is_known)
        self._session = client.session(self._observer)

    async def run(self) -> None:
        """Until it ends by itself or is cancelled; raises what ended it, or `SourceStuck`."""
        namespace = self._watch.namespace
        tasks: Collection[asyncio.Task[Any]] = ()
        try:
            tasks = await kopf.spawn_tasks(
                registry=self._registry(),
                settings=_settings(self._watch, self._times),
                clusterwide=namespace is None,
                namespaces=(namespace,) if namespace else (),
                identity=self._identity,  # type: ignore[arg-type]  # or it asks who the user is, whom a pod may not have
                standalone=True,
                memories=memories(),
            )
            self._take_signals()
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failures = await self._end(tasks)
        for failure in failures:
            raise failure

    async def _end(self, tasks: Collection[asyncio.Task[Any]]) -> list[BaseException]:
        """Why those failed that did."""
        # `kopf.run_tasks` would wait without a limit, and would cancel whatever else this process has begun meanwhile.
        # A task of Kopf may swallow its cancellation, if it comes at a bad moment; then no request of it succeeds, and
        # it is cancelled again.
        pending = set(tasks)
        for attempt in range(EXIT_ATTEMPTS):
            for task in pending:
                task.cancel()
            if pending:
                _, pending = await asyncio.wait(pending, timeout=self._times.exit / EXIT_ATTEMPTS)
            if attempt == 0:
                self._observer.ended = True
                await self._session.close()
        if pending:
            raise SourceStuck(f"the watch of {self._watch} does not end")
        return [error for task in tasks if not task.cancelled() and (error := task.exception()) is not None]

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        plural = self._watch.collection.plural

        async def handle(event: kopf.RawEvent, **_: Any) -> None:
            self._on_event(plural, event["type"], event["object"])

        group, version = self._watch.collection.group_version
        kopf.on.event(group, version, plural, registry=registry, id=f"watch-{plural}")(handle)
        kopf.on.login(registry=registry)(self._login)
        return registry

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=self._client.host, aiohttp_session=self._session, default_namespace="default")


def _settings(watch: Watch, times: WatchTimes) -> kopf.OperatorSettings:
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
    settings.watching.inactivity_timeout = times.inactivity
    settings.watching.reconnect_backoff = 0.2
    if watch.selector:
        settings.watching.label_selectors[watch.collection.plural] = watch.selector
    settings.networking.request_timeout = REQUEST_TIMEOUT
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _Forever()
    return settings
