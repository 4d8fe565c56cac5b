"""Leases: which replicas of the operator live, and which of them works for which deployment; with fencing.

Used by `controller.shards`, which decides what to take and what to give up. Each replica renews one Lease of its own,
which says that it lives. A Lease per deployment names the replica that works for it, and is written only when that
changes: it is in force for as long as that replica renews its own. So a hundred deployments at rest cost no more
writes than one.

Why two replicas never work for one deployment: a replica stops `renew_deadline` after its last renewal began, and ends
without ever renewing again. Another takes its deployments only after it has itself seen no renewal for `duration`,
which is longer; so whoever is taken from has stopped before, whatever the clocks say, and for good. Two that take at
once write onto the same version of the Lease, and the API server refuses one.

Only a former process of the same pod is known to be dead without waiting: the kubelet starts a container anew when the
one before has ended, and no two pods ever have the same uid. A name would not do: two pods of a host's network have the
same host name, and a pod that was deleted by force may run on beside its namesake.

Times are measured with the clock that counts from the start of the machine, so that a clock that jumps changes
nothing, and a machine that was suspended knows it; those in the Leases are for people.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, Final

import structlog

from coder_enterprise.client.sending import looking
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, Gone, KubernetesError
from coder_enterprise.cluster.marks import DEPLOYMENT, OPERATOR_LABEL, SCOPE
from coder_enterprise.cluster.paths import LEASES
from coder_enterprise.controller.lease import Lease, LeaseTimes, lease_body
from coder_enterprise.kinds.machinery.resource import Key

FORGOTTEN_AFTER: Final = 600.0
"""Seconds after which the Lease of a dead replica is removed."""

log = structlog.get_logger(__name__)


class LeadershipLost(Exception):
    """Another replica may be working for the deployment: nothing may be written for it any more."""


class Membership:
    """This process as one of several replicas, and what all their Leases say.

    `join`, then `beat` again and again; `check` is the fence in front of each write; `take` and `give_up` change who
    works for a deployment; `leave` at the end. Only one of these coroutines runs at a time.
    """

    def __init__(
        self,
        client: KubernetesClient,
        namespace: str,
        name: str,
        identity: str,
        scope: str = "",
        times: LeaseTimes | None = None,
        pod: str = "",
    ) -> None:
        """`name` is what replicas have in common that share the work; `pod` is the uid of the pod that this is the only
        process of, "" outside of one."""
        self._former = f"_{pod}_" if pod else ""
        self.identity = identity
        self.times = times or LeaseTimes()
        self._client = client
        self._namespace = namespace
        self._name = name
        self._scope = scope
        self._own = f"{name}-replica-{_digest(identity)}"
        self._renewed_at = float("-inf")
        self._leases: dict[str, Lease] = {}
        self._seen: dict[str, tuple[str, float, float]] = {}
        """By holder: the version of its own Lease, since when that is known here, and for how long it is in force."""
        self._dead: set[str] = set()
        self._missed: dict[str, float] = {}
        """Leases that vanished while their holder lived, and until when it may make them anew."""

    @property
    def alive(self) -> bool:
        return _now() < self._renewed_at + self.times.renew_deadline

    @property
    def replicas(self) -> int:
        """How many live that watch the same namespaces, with this one."""
        others = {lease.holder for lease in self._replicas() if lease.scope == self._scope and self.lives(lease.holder)}
        return len(others | {self.identity})

    @property
    def next_death(self) -> float:
        """Seconds until the next replica is dead, unless it renews its Lease before."""
        times = (
            since + duration
            for holder, (_, since, duration) in self._seen.items()
            if holder != self.identity and holder not in self._dead
        )
        return min(times, default=float("inf")) - _now()

    def check(self) -> None:
        """Raises `LeadershipLost` unless this replica's Lease was renewed recently enough."""
        if not self.alive:
            raise LeadershipLost(f"the Lease {self._namespace}/{self._own} was not renewed in time")

    def lives(self, holder: str) -> bool:
        """Whether that replica may be at work, as of the last beat."""
        return bool(holder) and holder not in self._dead

    def lease(self, deployment: Key) -> Lease | None:
        """Who works for it, as of the last beat; None when it has no Lease."""
        return self._leases.get(self._lease_name(deployment))

    def is_free(self, deployment: Key) -> bool:
        """Nobody works for it, as of the last beat."""
        lease = self.lease(deployment)
        if lease is None:
            return _now() >= self._missed.get(self._lease_name(deployment), float("-inf"))
        return not self.lives(lease.holder)

    def stray(self, deployments: set[Key]) -> list[Lease]:
        """Leases that nobody needs: of deployments that are not among these and nobody holds, and of replicas that
        died long ago."""
        needed = {self._lease_name(key) for key in deployments}
        free = [
            lease
            for lease in self._leases.values()
            if lease.deployment and lease.name not in needed and not self.lives(lease.holder)
        ]
        long_ago = _now() - FORGOTTEN_AFTER
        past = [
            lease for lease in self._replicas() if lease.holder in self._dead and self._seen[lease.holder][1] < long_ago
        ]
        return free + past

    async def join(self) -> None:
        """Wait until this replica is one of them."""
        while not await self._try(float("inf")):
            await asyncio.sleep(self.times.retry_period)

    async def beat(self) -> None:
        """Renew, and learn what all Leases say. Raises `LeadershipLost` when the last renewal is too old."""
        self.check()  # after a long sleep of the whole machine, what is free now was another's meanwhile
        await self._try(self._renewed_at + self.times.renew_deadline)
        self.check()

    async def take(self, deployment: Key) -> bool:
        """Have the deployment; False when another was faster. Raises `KubernetesError`."""
        name, known = self._lease_name(deployment), self.lease(deployment)
        annotations = {DEPLOYMENT: deployment.namespaced_name}
        try:
            with looking(self.check):
                self._learn(await self._write(name, annotations, known, self.identity))
        except (Conflicted, Gone):
            return False
        return True

    async def give_up(self, deployment: Key) -> None:
        """Let others have the deployment, if it is ours. Raises `KubernetesError`."""
        known = self.lease(deployment)
        if known is None or known.holder != self.identity:
            return
        with_holder = {DEPLOYMENT: known.deployment}
        try:
            with looking(self.check):
                self._learn(await self._write(known.name, with_holder, known, ""))
        except (Conflicted, Gone):
            del self._leases[known.name]  # somebody else has changed it; the next beat tells how

    async def remove(self, lease: Lease) -> None:
        """Delete a Lease, unless it has changed meanwhile. Raises `KubernetesError`."""
        try:
            with looking(self.check):
                await self._client.delete(LEASES, self._namespace, lease.name, version=lease.version)
        except (Conflicted, Gone):
            return
        self._leases.pop(lease.name, None)

    async def leave(self) -> None:
        """Not one of them any more: others may have all at once. Never raises for the API server."""
        was_alive, deadline = self.alive, self._renewed_at + self.times.renew_deadline
        self._renewed_at = float("-inf")
        if not was_alive:
            return
        try:
            with looking(partial(_until, deadline)):
                async with asyncio.timeout(self.times.renew_deadline / 2):
                    await self._release()
        except (KubernetesError, TimeoutError) as error:
            log.warning("leases not released", error=str(error) or "timeout")

    async def _release(self) -> None:
        for lease in list(self._leases.values()):
            if lease.holder == self.identity and lease.deployment:
                await self._write(lease.name, {DEPLOYMENT: lease.deployment}, lease, "")
        await self._client.delete(LEASES, self._namespace, self._own)

    async def _try(self, deadline: float) -> bool:
        """One renewal, until `deadline` at most; True when it succeeded."""
        started = _now()
        try:
            async with asyncio.timeout(min(deadline - started, self.times.renew_deadline / 2)):
                await self._list()
                own = self._leases.get(self._own)
                with looking(partial(_until, deadline)):
                    self._learn(await self._write(self._own, {SCOPE: self._scope}, own, self.identity))
        except (KubernetesError, TimeoutError) as error:
            log.warning("lease not renewed", lease=self._own, error=str(error) or "timeout")
            return False
        self._renewed_at = started
        return True

    async def _list(self) -> None:
        found: dict[str, Lease] = {}
        async for page in self._client.pages(LEASES, self._namespace, f"{OPERATOR_LABEL}={self._name}"):
            found |= {body["metadata"]["name"]: Lease.from_body(body) for body in page}
        self._miss(found)
        self._leases = found
        self._observe()

    def _miss(self, found: Mapping[str, Lease]) -> None:
        """A Lease that somebody has deleted is still in force for who held it, until that replica must know."""
        now = _now()
        self._missed = {name: until for name, until in self._missed.items() if name not in found and now < until}
        for name, lease in self._leases.items():
            if name not in found and lease.deployment and lease.holder != self.identity and self.lives(lease.holder):
                self._missed[name] = now + self.times.duration

    def _observe(self) -> None:
        """Who is dead: nobody renewed its Lease for its duration, counted from when we first saw this renewal.

        It is decided only here, from what the API server has just said: between two lists there may be a renewal.
        """
        now = _now()
        renewals = {lease.holder: (lease.version, lease.duration) for lease in self._replicas()}
        holders = {lease.holder for lease in self._leases.values()} - {""}
        seen: dict[str, tuple[str, float, float]] = {}
        for holder in holders:
            version, duration = renewals.get(holder, ("", self.times.duration))
            known = self._seen.get(holder)
            since = known[1] if known is not None and known[0] == version else now
            seen[holder] = (version, since, duration)
        self._seen = seen
        self._dead = {
            holder
            for holder, (_, since, duration) in seen.items()
            if holder != self.identity and (now > since + duration or self._is_former(holder))
        }

    def _is_former(self, holder: str) -> bool:
        """A process of this pod, which has ended: see above."""
        return bool(self._former) and self._former in holder

    def _replicas(self) -> list[Lease]:
        return [lease for lease in self._leases.values() if not lease.deployment and lease.holder]

    def _learn(self, body: Mapping[str, Any]) -> None:
        lease = Lease.from_body(body)
        self._leases[lease.name] = lease

    def _lease_name(self, deployment: Key) -> str:
        return f"{self._name}-{_digest(deployment.namespaced_name)}"

    async def _write(
        self, name: str, annotations: Mapping[str, str], known: Lease | None, holder: str
    ) -> dict[str, Any]:
        """Create the Lease, or replace the version that is `known`. Raises `Conflicted` when that is not the latest."""
        body = lease_body(name, self._namespace, known, holder, self.times.duration)
        body["metadata"] |= {"labels": {OPERATOR_LABEL: self._name}, "annotations": dict(annotations)}
        if known is None:
            return await self._client.create(LEASES, self._namespace, body)
        return await self._client.replace(LEASES, self._namespace, body)


@lru_cache(4096)
def _digest(text: str) -> str:
    """Short, and fit for a name, whatever the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _until(deadline: float) -> None:
    """Others may take a renewal for a sign of life that comes when this replica is dead to itself."""
    if _now() >= deadline:
        raise TimeoutError("the last renewal is too old")


_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _now() -> float:
    """Not the event loop's time, which stands still while the loop is busy: a process that was stopped in the middle
    of its work must know before it writes. Nor the monotonic clock, which stands still while the machine is
    suspended."""
    return time.clock_gettime(_CLOCK)
