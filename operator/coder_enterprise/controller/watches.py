"""Keeps each kind watched: one Kopf source per kind and namespace, replaced whenever it ends or falls silent.

Run by the manager. One kind that is missing or refused is named, and looked for again; the others do not notice. What
a source is, `controller.kopf_source` knows; how a watch is, `controller.watch` says; what to do about an event is the
engine's business.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog

from coder_enterprise.client.clock import now
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller import metrics
from coder_enterprise.controller.watch import Watch, WatchTimes
from coder_enterprise.controller.watch_session import WatchRefused, refusal

MAX_WORDS: Final = 200

log = structlog.get_logger(__name__)


class SourceStuck(Exception):
    """A source does not end, whatever is done: only the end of the process ends it."""


class Source(Protocol):
    async def run(self) -> None:
        """Lists and watches until it ends by itself or is cancelled, in either case within `WatchTimes.exit`.

        Raises `SourceStuck`, and whatever made it end.
        """


class Watches:
    def __init__(
        self,
        watches: Sequence[Watch],
        source: Callable[[Watch], Source],
        look: Callable[[Watch, Callable[[], None]], Awaitable[None]],
        times: WatchTimes,
    ) -> None:
        """`look` raises `KubernetesError` when the kind cannot be listed, and calls what it is given as it gets on."""
        self._watches = watches
        self._source = source
        self._look = look
        self._times = times
        self._started = False
        self._replace: dict[Watch, asyncio.Event] = {watch: asyncio.Event() for watch in watches}

    def start(self) -> list[asyncio.Task[None]]:
        """Its tasks: none of them ends by itself, but by failing. The caller cancels them."""
        self._started = True
        for watch in self._watches:
            watch.asked()
        return [asyncio.create_task(self._keep(watch), name=f"watch {watch}") for watch in self._watches]

    @property
    def blind(self) -> list[str]:
        """For each watch that sees nothing now: which, and why."""
        limit = self._times.blind
        return [
            f"{watch}: {watch.trouble or f'no sign of life for {watch.age:.0f} s'}"
            for watch in self._watches
            if watch.trouble or watch.age > limit
        ]

    @property
    def moves(self) -> bool:
        """Each of them is served, or asks to be; the API server's silence is no fault of this process."""
        return not self._started or all(watch.idle < self._times.stuck for watch in self._watches)

    def measure(self) -> None:
        for plural in {watch.collection.plural for watch in self._watches}:
            same = [watch for watch in self._watches if watch.collection.plural == plural]
            metrics.watch_age_seconds.labels(plural).set(max(watch.age for watch in same))
            metrics.watch_blind.labels(plural).set(any(watch.trouble for watch in same))

    def missed(self, plural: str) -> None:
        """It did not tell of a change: replace the sources of that kind."""
        for watch, replace in self._replace.items():
            if watch.collection.plural == plural:
                replace.set()

    async def _keep(self, watch: Watch) -> None:
        delay = 0.0
        while True:
            started = now()
            why, reason = await self._once(watch)
            watch.troubled(why)
            metrics.watch_replacements.labels(watch.collection.plural, reason).inc()
            # One that worked for a while is replaced at once; one that does not is asked for ever less often.
            worked = now() - started > self._times.retry_max
            delay = self._times.retry_min if worked else min(self._times.retry_max, delay * 2 or self._times.retry_min)
            await asyncio.sleep(delay * random.uniform(0.8, 1.0))  # noqa: S311
            watch.asked()

    async def _once(self, watch: Watch) -> tuple[str, str]:
        """One source, from its beginning to its end: why it ended, for people and for the metric."""
        try:
            time = asyncio.get_running_loop().time
            async with asyncio.timeout(self._times.silence) as limit:
                await self._look(watch, lambda: limit.reschedule(time() + self._times.silence))
            return await self._follow(watch)
        except TimeoutError:
            return f"it could not be listed within {self._times.silence:.0f} s", "silent"
        except KubernetesError as error:
            return refusal(watch.collection, error.status, str(error)), "refused"
        except WatchRefused as error:
            return str(error), "refused"
        except SourceStuck:
            raise
        except Exception as error:  # noqa: BLE001 whatever Kopf stumbled over, it must go on
            return f"an answer to it cannot be read ({type(error).__name__}: {str(error)[:MAX_WORDS]})", "ended"

    async def _follow(self, watch: Watch) -> tuple[str, str]:
        replace = self._replace[watch]
        replace.clear()
        started = now()
        source = asyncio.create_task(self._source(watch).run(), name=f"source of {watch}")
        wanted = asyncio.create_task(replace.wait())
        try:
            while (left := self._times.silence - min(watch.age, now() - started)) > 0:
                done, _ = await asyncio.wait({source, wanted}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if source in done:
                    source.result()
                    return "the source ended", "ended"
                if wanted in done:
                    return "it did not tell of a change", "missed"
            return f"no sign of life for {watch.age:.0f} s", "silent"
        finally:
            wanted.cancel()
            await _end(source)


async def _end(source: asyncio.Task[None]) -> None:
    """Cancel it, and wait for its end, which it limits itself. Raises `SourceStuck`."""
    source.cancel()
    await asyncio.wait({source})
    if not source.cancelled() and isinstance(error := source.exception(), SourceStuck):
        raise error
