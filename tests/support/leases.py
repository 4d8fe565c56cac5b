"""Leases in memory, and replicas of the operator that share work by them, each with a connection that may fail."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, cast

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, Gone, KubernetesError
from coder_enterprise.cluster.paths import Collection
from coder_enterprise.controller.leases import LeadershipLost, Membership
from coder_enterprise.controller.shards import Shards
from coder_enterprise.kinds.machinery.resource import Key

Body = dict[str, Any]

NAMESPACE: Final = "system"
NAME: Final = "operator"
LATENCY: Final = 0.01


class LeaseAPI:
    """The Leases of one namespace, with versions that conflict as the real ones do."""

    def __init__(self) -> None:
        self.leases: dict[str, Body] = {}
        self.writes: list[str] = []
        """Verb and name."""
        self._versions = itertools.count(1)

    def put(self, body: Mapping[str, Any], verb: str) -> Body:
        stored = copy.deepcopy(dict(body))
        stored["metadata"]["resourceVersion"] = str(next(self._versions))
        name = stored["metadata"]["name"]
        self.leases[name] = stored
        self.writes.append(f"{verb} {name}")
        return copy.deepcopy(stored)

    def named(self, part: str) -> Body:
        """The only Lease whose annotation or holder has that in it."""
        (found,) = [body for body in self.leases.values() if part in str(body)]
        return found

    def of(self, deployment: Key) -> Body | None:
        """The Lease of a deployment."""
        wanted = deployment.namespaced_name
        found = [body for body in self.leases.values() if wanted in body["metadata"].get("annotations", {}).values()]
        return found[0] if found else None

    def holder(self, deployment: Key) -> str:
        body = self.of(deployment)
        return str(body["spec"]["holderIdentity"]) if body else ""

    def seize(self, deployment: Key, holder: str) -> None:
        """What somebody does by hand."""
        body = copy.deepcopy(self.of(deployment))
        assert body is not None
        body["spec"]["holderIdentity"] = holder
        self.put(body, "seize")


class LeaseClient:
    """In place of `KubernetesClient`, as one replica has it. `fault` may raise before each request; while `hangs` none
    is answered."""

    def __init__(self, api: LeaseAPI) -> None:
        self.api = api
        self.fault: Callable[[str], None] = lambda _: None
        self.hangs = False
        self.latency = LATENCY
        """Seconds until a request arrives, and until its answer does."""
        self.answers = True
        """False: requests are carried out, and their answers lost."""

    async def pages(
        self, collection: Collection, namespace: str | None = None, selector: str = ""
    ) -> AsyncIterator[list[Body]]:
        await self._pass("list")
        label, _, value = selector.partition("=")
        found = [body for body in self.api.leases.values() if body["metadata"].get("labels", {}).get(label) == value]
        found = copy.deepcopy(found)
        await self._answer()
        yield found

    async def create(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> Body:
        await self._pass("create")
        if body["metadata"]["name"] in self.api.leases:
            raise Conflicted(409, "AlreadyExists", "it exists")
        stored = self.api.put(body, "create")
        await self._answer()
        return stored

    async def replace(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> Body:
        await self._pass("replace")
        self._match(body["metadata"]["name"], body["metadata"]["resourceVersion"])
        stored = self.api.put(body, "replace")
        await self._answer()
        return stored

    async def delete(self, collection: Collection, namespace: str, name: str, version: str = "") -> None:
        await self._pass("delete")
        self._match(name, version)
        del self.api.leases[name]
        self.api.writes.append(f"delete {name}")
        await self._answer()

    def _match(self, name: str, version: str) -> None:
        known = self.api.leases.get(name)
        if known is None:
            raise Gone(404, "NotFound", "no lease")
        if version not in {"", known["metadata"]["resourceVersion"]}:
            raise Conflicted(409, "Conflict", "it has been modified")

    async def _pass(self, verb: str) -> None:
        await asyncio.sleep(self.latency)
        self.fault(verb)
        if self.hangs:
            await asyncio.sleep(1e9)

    async def _answer(self) -> None:
        await asyncio.sleep(self.latency)
        if not self.answers:
            await asyncio.sleep(1e9)


def refuse(*verbs: str) -> Callable[[str], None]:
    def fault(verb: str) -> None:
        if verb in verbs:
            raise KubernetesError(500, "InternalError", "no")

    return fault


def member(api: LeaseAPI, identity: str = "us", scope: str = "", pod: str = "") -> Membership:
    return Membership(cast("KubernetesClient", LeaseClient(api)), NAMESPACE, NAME, identity, scope, pod=pod)


class Replica:
    """Works for its share of `deployments`: writes all the time, and sees that no other may write then."""

    def __init__(self, api: LeaseAPI, identity: str, deployments: set[Key], fleet: list[Replica]) -> None:
        self.api = api
        self.identity = identity
        self.deployments = deployments
        self.client = LeaseClient(api)
        self.membership = Membership(cast("KubernetesClient", self.client), NAMESPACE, NAME, identity)
        self.shards = Shards(self.membership)
        self.effort = 0.2
        """Seconds that a piece of work takes."""
        self.written: list[Key] = []
        self.forgotten: list[Key] = []
        self._fleet = fleet
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._left: set[Key] = set()
        self.process: asyncio.Task[None] | None = None
        fleet.append(self)

    # Work

    def take(self, deployment: Key) -> None:
        self._left.discard(deployment)
        self._tasks[deployment] = asyncio.create_task(self._work(deployment))

    def leave(self, deployment: Key) -> None:
        self._left.add(deployment)

    def is_idle(self, deployment: Key) -> bool:
        task = self._tasks.get(deployment)
        return task is None or task.done()

    async def forget(self, deployment: Key) -> None:
        self.forgotten.append(deployment)

    async def _work(self, deployment: Key) -> None:
        while deployment not in self._left:
            await asyncio.sleep(self.effort)
            if not self.may_write(deployment):
                return
            others = [replica.identity for replica in self._fleet if replica is not self]
            writers = [replica.identity for replica in self._fleet if replica.may_write(deployment)]
            assert writers == [self.identity], f"{deployment} is written by {writers} of {others}"
            self.written.append(deployment)

    def may_write(self, deployment: Key) -> bool:
        try:
            self.shards.check(deployment)
        except LeadershipLost:
            return False
        return True

    # The process

    def start(self) -> None:
        self.process = asyncio.create_task(self.shards.run(self))

    @property
    def ended(self) -> bool:
        """By itself, having lost its Lease."""
        if self.process is None or not self.process.done():
            return False
        return isinstance(self.process.exception(), LeadershipLost)

    async def kill(self) -> None:
        """At once, with nothing said; its Leases stay. Raises what its work has found wrong."""
        self.membership._renewed_at = float("-inf")
        tasks = [*self._tasks.values(), *([self.process] if self.process else [])]
        failures = [task.exception() for task in tasks if task.done() and not task.cancelled()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for failure in failures:
            if isinstance(failure, AssertionError):
                raise failure

    async def end(self) -> None:
        """As the manager ends it."""
        assert self.process is not None
        await self.shards.end(self)
        self.process.cancel()
        with contextlib.suppress(asyncio.CancelledError, LeadershipLost):
            await self.process
        await self.membership.leave()
        await self.kill()
