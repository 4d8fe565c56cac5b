"""Reconciles one CoderDeployment: reads its Secrets, asks the server how it is, and opens or closes the gate for
all objects that refer to it.

Called by the manager's workers. It never writes to Coder.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final, Protocol

from pydantic import ValidationError

from coder_enterprise.client.errors import OperatorError
from coder_enterprise.controller.connections import Connection, Connections
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.kubernetes import KubernetesClient
from coder_enterprise.controller.result import Again, Result, failed, invalid_spec
from coder_enterprise.controller.status import Outcome, Progress, compose
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.base import ConnectionKind, Probe, SecretKeyRef, stalled
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Key, Resource

MIN_RESYNC: Final = 5.0
RETRY_MIN: Final = 1.0
RETRY_MAX: Final = 15.0
PROBE_MAX_AGE: Final = 15.0
"""Seconds for which a good answer serves when only the counts of objects have changed."""

_NEEDS_A_PERSON: Final = frozenset({Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.TLS_FAILED, Reason.NOT_FOUND})


class Gate(Protocol):
    """Between a deployment and the objects that refer to it; the manager's."""

    def open(self, deployment: Key) -> None:
        """The deployment can be used: reconcile all its objects."""

    def close(self, deployment: Key, *, tell: bool) -> None:
        """It cannot: let its objects wait, and with `tell` have those say so that are not settled."""

    def broken(self, deployment: Key) -> None:
        """Its circuit breaker opened: let its objects wait, and ask it at once."""


class DeploymentReconciler:
    def __init__(
        self,
        kind: ConnectionKind[Any],
        client: KubernetesClient,
        store: Store,
        connections: Connections,
        writer: Writer,
        recorder: Recorder,
        fence: Callable[[], None],
        gate: Gate,
    ) -> None:
        self._kind = kind
        self._client = client
        self._store = store
        self._connections = connections
        self._writer = writer
        self._recorder = recorder
        self._fence = fence
        self._gate = gate
        self._retry: dict[Key, float] = {}

    async def reconcile(self, resource: Resource, *, ask: bool) -> Result:
        """One visit; without `ask` a recent good answer serves. Raises only `KubernetesError`, `LeadershipLost` and
        bugs."""
        if resource.deleting:
            return Result()
        try:
            spec = self._kind.spec_model.model_validate(resource.spec)
        except ValidationError as error:
            await self._finish(resource, failed(invalid_spec(error)))
            return Result()
        if spec.suspend:
            return await self._suspend(resource)
        connection = self._connections.ensure(resource.key)
        if not ask and self._is_recent(connection) and connection.probe:
            await self._finish(resource, _outcome(connection.probe, self._counts(resource.key)))
            return self._next(resource.key, connection)
        known, was_usable = connection.probe, connection.usable
        probe = await self._probe(resource, spec, connection)
        connection.judge(probe)
        if connection.usable:
            changed = not was_usable or known is None or known.features != probe.features
            self._resync(resource.key, connection, spec, changed=changed)
        else:
            self._gate.close(resource.key, tell=known is None)
        await self._finish(resource, _outcome(probe, self._counts(resource.key)))
        return self._next(resource.key, connection)

    def _is_recent(self, connection: Connection) -> bool:
        now = asyncio.get_running_loop().time()
        return connection.usable and now < min(connection.probed_at + PROBE_MAX_AGE, connection.resync_at)

    async def _probe(self, resource: Resource, spec: Any, connection: Connection) -> Probe:
        try:
            settings = self._kind.settings(spec, await self._secrets(resource, spec))
            await connection.open(settings, self._kind.rate(spec), self._fence, lambda: self._gate.broken(resource.key))
        except OperatorError as error:
            return self._kind.unusable(error)
        if connection.client is None or connection.directory is None:
            raise AssertionError("an opened connection has a client")
        return await self._kind.probe(connection.client, connection.directory)

    async def _secrets(self, resource: Resource, spec: Any) -> dict[SecretKeyRef, str]:
        namespace = resource.key.namespace
        values: dict[SecretKeyRef, str] = {}
        for ref in self._kind.secrets(spec):
            secret = await self._client.secret(namespace, ref.name)
            if secret is None:
                raise stalled(Reason.SECRET_NOT_FOUND, f"there is no Secret {namespace}/{ref.name}; create it")
            if not secret.get(ref.key, "").strip():
                raise stalled(
                    Reason.SECRET_KEY_MISSING,
                    f"Secret {namespace}/{ref.name} has no value under the key {ref.key}; add it",
                )
            values[ref] = secret[ref.key]
        return values

    def _resync(self, key: Key, connection: Connection, spec: Any, *, changed: bool) -> None:
        """Open the gate, and have all objects compared anew when it is time, or when something has changed."""
        now = asyncio.get_running_loop().time()
        interval = max(MIN_RESYNC, self._kind.resync(spec))
        due = now >= connection.resync_at
        connection.resync_at = min(connection.resync_at, now + interval)  # it may have been shortened
        if due and connection.directory is not None:
            connection.directory.expire()
            connection.resync_at = now + interval * random.uniform(0.95, 1.0)  # noqa: S311
            changed = True
        if changed:
            self._gate.open(key)

    def _counts(self, key: Key) -> dict[str, int]:
        objects = [self._store.get(item) for item in self._store.find(("deployment", key))]
        return {"total": len(objects), "ready": sum(1 for item in objects if item is not None and item.ready)}

    async def _suspend(self, resource: Resource) -> Result:
        connection = self._connections.ensure(resource.key)
        connection.judge(
            Probe(
                usable=False,
                reason=Reason.SUSPENDED,
                message="spec.suspend is true",
                conditions=(),
                fields={},
                features=None,
            )
        )
        self._gate.close(resource.key, tell=False)
        outcome = Outcome("Unknown", Reason.SUSPENDED, "spec.suspend is true", Progress.DONE)
        await self._finish(resource, outcome)
        return Result()

    async def _finish(self, resource: Resource, outcome: Outcome) -> None:
        was = resource.condition("Ready")
        await self._writer.status(resource, compose(resource, outcome))
        if was is None or (was["status"], was["reason"]) != (outcome.ready, outcome.reason):
            say = self._recorder.normal if outcome.ready == "True" else self._recorder.warning
            say(resource, outcome.reason, "Reconcile", outcome.message)

    def _next(self, key: Key, connection: Connection) -> Result:
        if connection.usable:
            self._retry.pop(key, None)
            now = asyncio.get_running_loop().time()
            return Result(Again.AFTER, max(MIN_RESYNC / 2, connection.resync_at - now))
        delay = min(RETRY_MAX, self._retry.get(key, RETRY_MIN / 2) * 2)
        self._retry[key] = delay
        return Result(Again.AFTER, delay * random.uniform(0.8, 1.0), "transient")  # noqa: S311


def _outcome(probe: Probe, counts: dict[str, int]) -> Outcome:
    return Outcome(
        ready="True" if probe.usable else "False",
        reason=probe.reason,
        message=probe.message,
        progress=_progress(probe),
        conditions=probe.conditions,
        fields={**probe.fields, "managedObjects": counts},
    )


def _progress(probe: Probe) -> Progress:
    if probe.usable:
        return Progress.DONE
    return Progress.STALLED if probe.reason in _NEEDS_A_PERSON else Progress.WORKING
