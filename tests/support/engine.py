"""An engine that runs on a fake clock, over a Kubernetes and a Coder that are dictionaries.

The Kubernetes here keeps the rules that the engine relies on: resource versions, generations, the status
subresource, finalizers, merge patches and a watch that may lag. What the real ones do is tested end to end.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import pytest

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.http import CallHooks, ConnectionSettings
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, Gone, KubernetesError
from coder_enterprise.cluster.paths import NAMESPACES, SECRETS, Collection
from coder_enterprise.cluster.secrets import Secret
from coder_enterprise.controller import connections
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.engine import Engine
from coder_enterprise.kinds.machinery import moments
from coder_enterprise.kinds.machinery.common import STATUS_DEFAULT
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.resource import CLAIM, FINALIZER, GROUP, WATCH_LABEL, Key, Resource
from tests.support.things import Points, ThingKind, World, WorldClient, WorldDeploymentKind, WorldDirectory

Body = dict[str, Any]
Address = tuple[str, str, str]
"""Plural, namespace, name."""

TEAM: Final = "team"


class FakeKubernetes:
    """In place of `KubernetesClient`. `writes` holds what the operator wrote, without its events."""

    def __init__(self, points: Points | None = None) -> None:
        self.objects: dict[Address, Body] = {}
        self.secrets: dict[tuple[str, str], dict[str, str]] = {}
        self.secret_labels: Mapping[str, str] = {WATCH_LABEL: "true"}
        """Of all Secrets."""
        self.labels: dict[str, dict[str, str]] = {}
        """Of namespaces."""
        self.events: list[Body] = []
        self.writes: list[str] = []
        self.points = points or Points()
        self.watch: Callable[[str, str | None, Body], None] | None = None
        self.watch_lag = 0.0
        self.latency = 0.001
        self.fault: Callable[[str, str], KubernetesError | None] = lambda *_: None
        self.on_write: Callable[[str], None] = lambda _: None
        """Called just before a write takes effect: what users do at the worst moment."""
        self.on_stored: Callable[[str, Body], None] = lambda *_: None
        """Called with what was written, and the object then."""
        self._versions = itertools.count(100)

    # What users do

    def apply(self, plural: str, name: str, namespace: str = TEAM, /, **spec: Any) -> Body:
        known = self.objects.get((plural, namespace, name))
        if known is None:
            body: Body = {
                "metadata": {
                    "namespace": namespace,
                    "name": name,
                    "uid": f"uid-{next(self._versions)}",
                    "generation": 1,
                    "creationTimestamp": f"2026-01-01T00:00:00.{next(self._versions):06}Z",
                },
                "spec": spec,
                "status": copy.deepcopy(dict(STATUS_DEFAULT)),
            }
            return self._store(plural, body, "ADDED")
        body = copy.deepcopy(known)
        if body["spec"] != spec:
            body["spec"] = spec
            body["metadata"]["generation"] += 1
        return self._store(plural, body, "MODIFIED")

    def annotate(self, plural: str, name: str, namespace: str = TEAM, /, **annotations: str) -> None:
        body = copy.deepcopy(self.objects[plural, namespace, name])
        values = {f"{GROUP}/{key.replace('_', '-')}": value for key, value in annotations.items()}
        body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), **values}
        self._store(plural, body, "MODIFIED")

    def finalize(self, plural: str, name: str, *finalizers: str) -> None:
        body = copy.deepcopy(self.objects[plural, TEAM, name])
        body["metadata"]["finalizers"] = list(finalizers)
        self._store(plural, body, "MODIFIED")

    def delete(self, plural: str, name: str, namespace: str = TEAM, /, *, unseen: bool = False) -> None:
        body = copy.deepcopy(self.objects[plural, namespace, name])
        body["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z"
        watch = self.watch
        self.watch = None if unseen else watch
        self._store(plural, body, "MODIFIED")
        self.watch = watch

    def put_secret(self, name: str, namespace: str = TEAM, /, **values: str) -> None:
        self.secrets[namespace, name] = values
        self._tell("secrets", "MODIFIED", {"metadata": {"namespace": namespace, "name": name}})

    def drop_secret(self, name: str, namespace: str = TEAM, /) -> None:
        del self.secrets[namespace, name]
        self._tell("secrets", "DELETED", {"metadata": {"namespace": namespace, "name": name}})

    def _store(self, plural: str, body: Body, type_: str) -> Body:
        meta = body["metadata"]
        meta["resourceVersion"] = str(next(self._versions))
        address = (plural, meta["namespace"], meta["name"])
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self.objects.pop(address, None)
            type_ = "DELETED"
        else:
            self.objects[address] = body
        self._tell(plural, type_, body)
        return body

    def _tell(self, plural: str, type_: str, body: Body) -> None:
        if self.watch is not None:
            asyncio.get_running_loop().call_later(self.watch_lag, self.watch, plural, type_, copy.deepcopy(body))

    # What the operator does

    async def get(self, collection: Collection, namespace: str, name: str) -> Body:
        await self._pass("get", collection)
        if collection == NAMESPACES:
            return {"metadata": {"name": name, "labels": self.labels.get(name)}}
        return copy.deepcopy(self._find(collection, namespace, name))

    async def pages(
        self,
        collection: Collection,
        namespace: str | None = None,
        selector: str = "",
        *,
        metadata_only: bool = False,
    ) -> AsyncIterator[list[Body]]:
        await self._pass("list", collection)
        found = [
            body
            for (plural, space, _), body in self.objects.items()
            if plural == collection.plural and namespace in {None, space}
        ]
        yield copy.deepcopy([{"metadata": body["metadata"]} for body in found] if metadata_only else found)

    async def look(self, collection: Collection, namespace: str | None = None, selector: str = "") -> None:
        await self._pass("list", collection)

    async def create(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> Body:
        await self._pass("create", collection)
        if collection.plural == "secrets":
            return self._create_secret(namespace, body)
        created = copy.deepcopy(dict(body))
        self.events.append(created)
        return created

    async def patch(
        self, collection: Collection, namespace: str, name: str, body: Mapping[str, Any], subresource: str = ""
    ) -> Body:
        await self._pass("patch", collection)
        if collection.plural == "events":
            for event in self.events:
                if event["metadata"]["name"] == name:
                    return _merge(event, body)
            raise Gone(404, "NotFound", f"event {name} not found")
        what = f"{collection.plural}/{name} {subresource or 'object'}"
        self.points.reach(f"before patch {what}")
        self.on_write(what)
        known = self._find(collection, namespace, name)
        expected = body.get("metadata", {}).get("resourceVersion")
        if expected not in {None, known["metadata"]["resourceVersion"]}:
            raise Conflicted(409, "Conflict", "the object has been modified")
        updated = copy.deepcopy(known)
        part = "status" if subresource else "metadata"
        _merge(updated[part], body[part])
        updated["metadata"]["annotations"] = updated["metadata"].get("annotations") or {}
        self.writes.append(what)
        updated = self._store(collection.plural, updated, "MODIFIED")
        self.on_stored(what, updated)
        self.points.reach(f"after patch {what}")
        await asyncio.sleep(self.latency)
        return copy.deepcopy(updated)

    async def secret(self, namespace: str, name: str) -> Secret | None:
        await self._pass("get", SECRETS)
        values = self.secrets.get((namespace, name))
        return None if values is None else Secret(values, labels=self.secret_labels)

    def _create_secret(self, namespace: str, body: Mapping[str, Any]) -> Body:
        address = (namespace, body["metadata"]["name"])
        if address in self.secrets:
            raise Conflicted(409, "AlreadyExists", "the Secret exists")
        self.secrets[address] = {key: base64.b64decode(value).decode() for key, value in body["data"].items()}
        return dict(body)

    async def _pass(self, verb: str, collection: Collection) -> None:
        await asyncio.sleep(self.latency)
        fault = self.fault(verb, collection.plural)
        if fault is not None:
            raise fault

    def _find(self, collection: Collection, namespace: str, name: str) -> Body:
        body = self.objects.get((collection.plural, namespace, name))
        if body is None:
            raise Gone(404, "NotFound", f"{collection.plural} {name} not found")
        return body


def _merge(target: Body, patch: Mapping[str, Any]) -> Body:
    """RFC 7396, in place."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            known = target.get(key)
            target[key] = _merge(known if isinstance(known, dict) else {}, value)
        else:
            target[key] = copy.deepcopy(value)
    return target


class Alone:
    """The shares of an operator without others: all is its own, as long as `fence` says so."""

    def __init__(self) -> None:
        self.fence: Callable[[Key], None] = lambda _: None
        self.engine: Engine | None = None

    def check(self, deployment: Key) -> None:
        self.fence(deployment)

    def live(self) -> None: ...

    def wake(self) -> None:
        if self.engine is not None:
            for deployment in self.engine.deployments - self.engine.taken:
                self.engine.take(deployment)


def _present() -> datetime:
    """By the fake clock."""
    return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=asyncio.get_running_loop().time())


class Cluster:
    """A Kubernetes, some Coders, and one operator, which may be killed and started anew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.points = Points()
        self.kubernetes = FakeKubernetes(self.points)
        self.coder = World(points=self.points)
        self.worlds = {self.coder.url: self.coder}
        self.clients: list[WorldClient] = []
        self.kind = ThingKind()
        self.shares = Alone()
        self.claims = Claims(b"key of all that are started")
        self._engine: Engine | None = None
        self._tasks: list[asyncio.Task[None]] = []
        monkeypatch.setattr(connections, "CoderClient", self._connect)
        monkeypatch.setattr(connections, "Directory", WorldDirectory)
        monkeypatch.setattr(moments, "present", _present)

    def _connect(self, settings: ConnectionSettings, hooks: CallHooks) -> CoderClient:
        client = WorldClient(self.worlds[settings.url], settings, hooks)
        self.clients.append(client)
        return cast("CoderClient", client)

    @property
    def engine(self) -> Engine:
        assert self._engine is not None
        return self._engine

    # The operator

    async def start(self) -> None:
        client = cast("KubernetesClient", self.kubernetes)
        engine = self._engine = Engine(client, self.shares, self.claims, WorldDeploymentKind(), [self.kind])
        self.shares.engine = engine
        self._tasks = engine.start()
        self.kubernetes.watch = engine.on_event
        await engine.load()

    async def begin(self, **spec: Any) -> None:
        """Start, and connect to a CoderDeployment that is Ready."""
        await self.start()
        self.connect(**spec)
        await self.until(lambda: self.reason("coder", "coderdeployments") == "Connected")

    async def stop(self) -> BaseException | None:
        """At once; why one of its tasks had failed before, if one had."""
        self.kubernetes.watch = None
        failures = [task.exception() for task in self._tasks if task.done()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._engine is not None:
            await self._engine.disconnect()
        return failures[0] if failures else None

    @property
    def died(self) -> bool:
        return any(task.done() for task in self._tasks)

    async def until(self, condition: Callable[[], object], within: float = 5.0) -> None:
        """Fails when it is not so within that many seconds of the fake clock, or when the operator dies."""
        deadline = asyncio.get_running_loop().time() + within
        while not condition():
            for task in self._tasks:
                if task.done():
                    task.result()
            assert asyncio.get_running_loop().time() < deadline, f"not within {within} s: {self.describe()}"
            await asyncio.sleep(0.05)

    def describe(self) -> str:
        rows = [f"{address}: {body.get('status')}" for address, body in list(self.kubernetes.objects.items())[:20]]
        return "\n".join([*rows, str(self.coder.things)[:500], str(self.coder.calls[-20:])])

    # What there is

    def moment(self, seconds: float) -> str:
        """So many from now, as spec has it."""
        return timestamp(_present() + timedelta(seconds=seconds))

    def connect(self, name: str = "coder", namespace: str = TEAM, world: World | None = None, /, **spec: Any) -> None:
        """A CoderDeployment with its Secret."""
        target = world or self.coder
        self.worlds[target.url] = target
        target.points = self.points
        self.kubernetes.put_secret("token", namespace, token="good")
        spec = {"url": target.url, "tokenSecretRef": {"name": "token"}, **spec}
        self.kubernetes.apply("coderdeployments", name, namespace, **spec)

    def thing(self, name: str, namespace: str = TEAM, /, **spec: Any) -> None:
        self.kubernetes.apply("things", name, namespace, **spec)

    def forge(
        self, name: str, namespace: str = TEAM, /, claim: Callable[[Resource], str | None] = lambda _: "", **spec: Any
    ) -> None:
        """A thing with our finalizer and that claim, as whoever may write things can make it."""
        self.thing(name, namespace, **spec)
        body = copy.deepcopy(self.kubernetes.objects["things", namespace, name])
        signature = claim(Resource.from_body("Thing", body))
        body["metadata"] |= {"finalizers": [FINALIZER], "annotations": {CLAIM: signature}}
        self.kubernetes._store("things", body, "MODIFIED")

    def body(self, plural: str, name: str, namespace: str = TEAM) -> Body | None:
        return self.kubernetes.objects.get((plural, namespace, name))

    def status(self, plural: str, name: str, namespace: str = TEAM) -> Body:
        body = self.body(plural, name, namespace)
        return dict(body["status"]) if body else {}

    def reason(self, name: str, plural: str = "things", namespace: str = TEAM) -> str:
        return str(self.condition("Ready", name, plural, namespace).get("reason", ""))

    def condition(self, type_: str, name: str, plural: str = "things", namespace: str = TEAM) -> Body:
        conditions = self.status(plural, name, namespace).get("conditions", ())
        return next((dict(item) for item in conditions if item["type"] == type_), {})

    def is_applied(self, name: str, namespace: str = TEAM) -> bool:
        body = self.body("things", name, namespace)
        if body is None or body["status"]["observedGeneration"] != body["metadata"]["generation"]:
            return False
        return self.reason(name, namespace=namespace) == "Applied"

    def events(self, reason: str = "") -> list[Body]:
        return [event for event in self.kubernetes.events if reason in {"", event["reason"]}]

    def writes(self) -> list[str]:
        """What was written to things."""
        return [write for write in self.kubernetes.writes if write.startswith("things/")]
