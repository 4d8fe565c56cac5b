"""Which deployments this replica works for: a fair share of them, taken when free and given up when others have less.

Run by the manager; the engine does the work, and each of its writes passes `check` before. A shard is a CoderDeployment
with all objects that refer to it, whether it exists (yet) or not, so that no object ever moves from one shard to
another. `controller.leases` says who has what, and why no two have the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable
from typing import Final, Protocol

import structlog

from coder_enterprise.client.clock import now
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller import metrics
from coder_enterprise.controller.lease import Lease
from coder_enterprise.controller.leases import LeadershipLost, Membership
from coder_enterprise.kinds.machinery.resource import Key

DRAIN_TIMEOUT: Final = 10.0
"""Seconds that work may go on for a deployment that is being given up."""
POLL: Final = 0.1
"""Seconds between two looks at whether that work is done."""

MOMENT: Final = 0.001
"""Seconds that are not worth a rest."""

log = structlog.get_logger(__name__)


class Work(Protocol):
    """What is done for the deployments; the engine's."""

    @property
    def deployments(self) -> set[Key]:
        """All that exist or are referred to, whoever works for them."""

    def take(self, deployment: Key) -> None:
        """It is ours: do everything for it."""

    def leave(self, deployment: Key) -> None:
        """Begin nothing more for it; what is being done is finished, or fails at the fence."""

    def is_idle(self, deployment: Key) -> bool:
        """Nothing is being done for it any more."""

    async def forget(self, deployment: Key) -> None:
        """It was left, and is idle: close what was opened for it."""


class Shards:
    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._held: set[Key] = set()
        self._leaving: dict[Key, float] = {}
        """What is being given up, and until when its work may write."""
        self._contested: set[Key] = set()
        """Where another was faster; the next beat tells who."""
        self._ending = False
        self._woken = asyncio.Event()

    @property
    def held(self) -> frozenset[Key]:
        return frozenset(self._held)

    def check(self, deployment: Key) -> None:
        """The fence: raises `LeadershipLost` unless writing for the deployment is ours alone."""
        self._membership.check()
        if deployment not in self._held and now() >= self._leaving.get(deployment, float("-inf")):
            raise LeadershipLost(f"another replica works for {deployment}")

    def live(self) -> None:
        """Raises `LeadershipLost` when others may have all by now."""
        self._membership.check()

    def wake(self) -> None:
        """There are other deployments than before."""
        self._woken.set()

    async def run(self, work: Work) -> None:
        """Until cancelled. Raises `LeadershipLost` when this replica could not say that it lives."""
        await self._membership.join()
        while True:
            self._notice(work)
            await self._share(work)
            await self._membership.beat()

    async def end(self, work: Work) -> None:
        """Give everything up, once what is being done is finished; `run` must be running."""
        self._ending = True
        for deployment in list(self._held):
            self._leave(deployment, work)
        self._woken.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                while self._leaving:
                    await asyncio.sleep(POLL)

    def _notice(self, work: Work) -> None:
        """What the Leases say that differs from what we do."""
        self._contested.clear()
        for deployment in [*self._held, *self._leaving]:
            lease = self._membership.lease(deployment)
            if lease is not None and lease.holder != self._membership.identity:
                log.warning("lost", deployment=str(deployment), holder=lease.holder)
                self._leave(deployment, work, lost=True)
        metrics.replicas.set(self._membership.replicas)

    async def _share(self, work: Work) -> None:
        """Give and take until it is time for the next beat."""
        due = now() + min(self._membership.times.retry_period, max(0.0, self._membership.next_death) + POLL)
        while due - now() > MOMENT:
            self._woken.clear()
            well = await self._finish(work, due) and await self._try(self._balance(work), due)
            await self._rest(min(due, now() + POLL) if well and self._leaving else due)

    async def _balance(self, work: Work) -> None:
        wanted = work.deployments
        share = -(-len(wanted) // self._membership.replicas)
        surplus = sorted(self._held & wanted)[share:]
        for deployment in [*surplus, *(self._held - wanted)]:
            self._leave(deployment, work)
        free = [deployment for deployment in wanted if self._is_free(deployment)]
        random.shuffle(free)  # replicas that look for work at the same time should not all take the same
        for deployment in free:
            if self._ending or len(self._held) >= share:
                break
            await self._take(deployment, work)
        for deployment in sorted(self._held):
            if self._membership.lease(deployment) is None:  # somebody has deleted it
                await self._membership.take(deployment)
        for lease in self._membership.stray(wanted):
            await self._membership.remove(lease)

    def _is_free(self, deployment: Key) -> bool:
        if deployment in self._held or deployment in self._leaving or deployment in self._contested:
            return False
        return self._is_ours(self._membership.lease(deployment)) or self._membership.is_free(deployment)

    async def _take(self, deployment: Key, work: Work) -> None:
        known = self._membership.lease(deployment)
        if not self._is_ours(known) and not await self._membership.take(deployment):
            self._contested.add(deployment)
            return
        log.info("taken", deployment=str(deployment), previous=known.holder if known else "")
        self._held.add(deployment)
        work.take(deployment)
        metrics.shards_held.set(len(self._held))

    def _is_ours(self, lease: Lease | None) -> bool:
        """Also when the answer to our taking it was lost."""
        return lease is not None and lease.holder == self._membership.identity

    def _leave(self, deployment: Key, work: Work, *, lost: bool = False) -> None:
        self._held.discard(deployment)
        self._leaving[deployment] = float("-inf") if lost else now() + DRAIN_TIMEOUT
        work.leave(deployment)
        metrics.shards_held.set(len(self._held))

    async def _finish(self, work: Work, due: float) -> bool:
        """Give up what is idle by now; False when the API server did not let us."""
        for deployment in [deployment for deployment in self._leaving if work.is_idle(deployment)]:
            await work.forget(deployment)
            if not await self._try(self._membership.give_up(deployment), due):
                return False
            del self._leaving[deployment]
            log.info("given up", deployment=str(deployment))
        return True

    async def _try(self, request: Awaitable[None], due: float) -> bool:
        """Within the time until `due`, so that no beat is late; False when it failed, to be tried again."""
        try:
            async with asyncio.timeout_at(due):
                await request
        except (KubernetesError, TimeoutError) as error:
            log.warning("lease not changed", error=str(error) or "timeout")
            return False
        return True

    async def _rest(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._woken.wait()
