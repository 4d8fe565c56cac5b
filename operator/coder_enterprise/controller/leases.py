"""Leader election by a Lease, with fencing: at most one operator writes.

Used by the manager, which runs everything else only while it leads and ends the process when it does not. Holding
times are measured with the monotonic clock, so that a clock that jumps changes nothing; the times inside the
Lease are for people and for the count of its duration.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from coder_enterprise.client.clock import now
from coder_enterprise.controller.kubernetes import (
    LEASES,
    Conflicted,
    Gone,
    KubernetesClient,
    KubernetesError,
    micro_time,
)

LEASE_DURATION: Final = 15.0
RENEW_DEADLINE: Final = 10.0
RETRY_PERIOD: Final = 2.0

log = structlog.get_logger(__name__)


class LeadershipLost(Exception):
    """Another process may be leading: nothing may be written any more."""


@dataclass(frozen=True)
class LeaseTimes:
    """In seconds; `duration` > `renew_deadline` > `retry_period`."""

    duration: float = LEASE_DURATION
    renew_deadline: float = RENEW_DEADLINE
    retry_period: float = RETRY_PERIOD


class Elector:
    """One candidate for one Lease.

    `acquire` returns when it leads; `hold` renews and raises `LeadershipLost` when it could not for
    `renew_deadline`; `check` is the fence in front of each write; `release` lets a successor start at once.
    """

    def __init__(
        self,
        client: KubernetesClient,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._renewed_at = float("-inf")
        self._seen: tuple[str, float] = ("", float("-inf"))
        self.holder = ""
        """Who held the Lease when it was last read; "" before."""

    @property
    def leads(self) -> bool:
        return now() < self._renewed_at + self._times.renew_deadline

    def check(self) -> None:
        """Raises `LeadershipLost` unless the Lease was renewed recently enough."""
        if not self.leads:
            raise LeadershipLost(f"the Lease {self._namespace}/{self._name} was not renewed in time")

    async def acquire(self) -> None:
        """Wait until this candidate leads."""
        while not await self._try():
            await asyncio.sleep(self._times.retry_period * random.uniform(0.8, 1.2))  # noqa: S311

    async def hold(self) -> None:
        """Renew until cancelled. Raises `LeadershipLost`, at the latest when the last renewal is too old."""
        while True:
            await asyncio.sleep(self._times.retry_period)
            self.check()  # after a long sleep of the whole machine, what is free now was another's meanwhile
            await self._try(self._renewed_at + self._times.renew_deadline)
            if self.holder != self._identity:
                self._renewed_at = float("-inf")
            self.check()

    async def release(self) -> None:
        """Give the Lease up, if this candidate holds it."""
        if not self.leads:
            return
        self._renewed_at = float("-inf")
        try:
            async with asyncio.timeout(self._times.renew_deadline / 2):
                await self._give_up()
        except (KubernetesError, TimeoutError) as error:
            log.warning("lease not released", error=str(error) or "timeout")

    async def _give_up(self) -> None:
        lease = await self._client.get(LEASES, self._namespace, self._name)
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") == self._identity:
            released = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": micro_time()}
            await self._client.replace(LEASES, self._namespace, {**lease, "spec": {**spec, **released}})

    async def _try(self, deadline: float = float("inf")) -> bool:
        """One attempt to take or renew, until `deadline` (loop time) at most; True when it succeeded."""
        started = now()
        try:
            async with asyncio.timeout_at(min(deadline, started + self._times.renew_deadline / 2)):
                await self._take()
        except (KubernetesError, TimeoutError) as error:
            if not isinstance(error, Conflicted):
                log.warning("lease not renewed", lease=self._name, error=str(error) or "timeout")
            return False
        if self.holder == self._identity:
            self._renewed_at = started
        return self.leads

    async def _take(self) -> None:
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
        except Gone:
            lease = await self._client.create(LEASES, self._namespace, self._lease({}))
        else:
            spec = lease.get("spec") or {}
            self.holder = spec.get("holderIdentity") or ""
            if self.holder not in {"", self._identity} and not self._expired(spec):
                return
            lease["spec"] = self._lease(spec)["spec"]
            lease = await self._client.replace(LEASES, self._namespace, lease)
        self.holder = lease["spec"]["holderIdentity"]

    def _expired(self, spec: Mapping[str, Any]) -> bool:
        """Nobody renewed it for its duration, counted from when we first saw this renewal."""
        renewal = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        if renewal != self._seen[0]:
            self._seen = (renewal, now())
        return now() > self._seen[1] + float(spec.get("leaseDurationSeconds") or self._times.duration)

    def _lease(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        moment = micro_time()
        ours = spec.get("holderIdentity") == self._identity
        transitions = int(spec.get("leaseTransitions") or 0)
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": max(1, round(self._times.duration)),
                "acquireTime": spec.get("acquireTime") if ours else moment,
                "renewTime": moment,
                "leaseTransitions": transitions if ours or not spec else transitions + 1,
            },
        }
