"""Reconciles one CoderDeployment: reads its Secrets, asks the server how it is, and opens or closes the gate for
all objects that refer to it.

Called by the manager's workers. It never writes to Coder.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog

from coder_enterprise.client.clock import now
from coder_enterprise.client.errors import OperatorError
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Gone, KubernetesError
from coder_enterprise.cluster.paths import custom
from coder_enterprise.cluster.sendable import read_all
from coder_enterprise.controller import metrics
from coder_enterprise.controller.connections import Connection, Connections
from coder_enterprise.controller.gate import Gate
from coder_enterprise.controller.history import History
from coder_enterprise.controller.hosts import AllowedHosts
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.notes import Notes
from coder_enterprise.controller.outcomes import failed, suspended
from coder_enterprise.controller.result import DONE, Again, Result, until_resumed
from coder_enterprise.controller.status import Outcome
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.tally import Tally
from coder_enterprise.controller.telling import Teller
from coder_enterprise.controller.visit import parse
from coder_enterprise.kinds.machinery.base import DomainCondition, Progress
from coder_enterprise.kinds.machinery.connection import ANSWERS, WELL, ConnectionKind, Probe
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.machinery.suspension import suspension

MIN_RESYNC: Final = 5.0
RETRY_MIN: Final = 1.0
RETRY_MAX: Final = 15.0
REFUSED_RETRY_MAX: Final = 300.0
"""Of a token that Coder has refused: it rarely becomes good by itself, and another one is taken at once."""
PROBE_INTERVAL: Final = 60.0
"""Seconds, at most, until a deployment is asked how it is, also while no object of its own needs it."""
PROBE_MAX_AGE: Final = 15.0
"""Seconds for which a good answer serves when only the counts of objects have changed."""

_NEEDS_A_PERSON: Final = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.HOST_NOT_ALLOWED,
        Reason.SECRET_NOT_MARKED,
        Reason.UNAUTHORIZED,
        Reason.FORBIDDEN,
        Reason.TLS_FAILED,
        Reason.NOT_FOUND,
    }
)

log = structlog.get_logger(__name__)


_OWN: Final = frozenset({"Ready", "Reconciling", "Stalled"})
"""Conditions that every outcome says anew."""


class DeploymentReconciler:
    def __init__(
        self,
        kind: ConnectionKind[Any],
        client: KubernetesClient,
        store: Store,
        connections: Connections,
        teller: Teller,
        notes: Notes,
        history: History,
        fence: Callable[[Resource], None],
        gate: Gate,
        hosts: AllowedHosts,
        tally: Tally,
    ) -> None:
        self._kind = kind
        self._client = client
        self._store = store
        self._connections = connections
        self._teller = teller
        self._notes = notes
        self._history = history
        self._fence = fence
        self._gate = gate
        self._hosts = hosts
        self._tally = tally

    async def reconcile(self, resource: Resource, *, ask: bool) -> Result:
        """One visit; without `ask` a recent good answer serves. Raises only `KubernetesError` and `LeadershipLost`. One
        that is being deleted, but kept by a finalizer of others, still serves its objects."""
        connection = self._connections.ensure(resource.key)
        try:
            return await self._visit(resource, connection, ask=ask)
        except (KubernetesError, LeadershipLost):
            raise
        except Exception:
            log.exception("a fault of the operator", object=str(resource.key))
            fault = OperatorError("a fault of the operator itself; its log has the details")
            await self._close(resource, connection, failed(fault))
            return Result(Again.BACKOFF, label="fault")

    async def _visit(self, resource: Resource, connection: Connection, *, ask: bool) -> Result:
        try:
            spec = parse(self._kind.spec_model, resource)
        except KindError as error:
            return await self._close(resource, connection, failed(error))
        stopped = suspension(resource.spec)
        if stopped:
            await self._close(resource, connection, suspended(resource, stopped))
            return until_resumed(stopped)
        if not ask and self._is_recent(connection, resource) and connection.probe:
            await self._teller.of_deployment(resource, self._outcome(resource, connection, connection.probe))
            return self._next(connection)
        if not await self._is_there(resource):
            return DONE
        renewed, probe = await self._probe(resource, spec, connection)
        if probe.reason is Reason.RATE_LIMITED and connection.usable and not renewed:
            await self._teller.of_deployment(resource, _paused(probe))
            return self._next(connection)
        known, was_usable, was_lost = connection.probe, connection.usable, connection.lost_credentials
        changed = renewed or not was_usable or connection.generation != resource.generation
        connection.judge(probe, resource.generation)
        self._history.note(resource.key, {ANSWERS: WELL if probe.usable else probe.reason, **probe.health})
        metrics.deployment_figures(resource.key, probe.figures)
        if connection.usable:
            changed = changed or known is None or _entitlements(known) != _entitlements(probe)
            self._open(connection, spec, changed=changed, was_away=not was_usable)
        else:
            # Without credentials, those that worked last may still delete.
            self._gate.close(resource.key, tell=known is None or connection.lost_credentials is not was_lost)
        await self._teller.of_deployment(resource, self._outcome(resource, connection, probe))
        return self._next(connection)

    async def _is_there(self, resource: Resource) -> bool:
        """Whether it still exists: who is asked every minute need not wait for a sweep when the watch missed its
        deletion."""
        key = resource.key
        try:
            await self._client.get(custom(self._kind.names.plural), key.namespace, key.name)
        except Gone:
            self._store.remove(key, resource.uid)
            return False
        return True

    async def _close(self, resource: Resource, connection: Connection, outcome: Outcome) -> Result:
        """It is not even asked."""
        known = connection.probe
        self._history.note(resource.key, {})
        connection.judge(
            Probe(
                usable=False,
                reason=outcome.reason,
                message=outcome.message,
                conditions=(),
                fields={},
                features=None,
            ),
            resource.generation,
        )
        self._gate.close(resource.key, tell=known is None)
        metrics.deployment_figures(resource.key, {})
        await self._teller.of_deployment(resource, outcome._replace(conditions=_not_known(resource, (), connection)))
        return DONE

    def _is_recent(self, connection: Connection, resource: Resource) -> bool:
        return (
            connection.usable
            and not connection.pause_left
            and connection.generation == resource.generation
            and now() < min(connection.probed_at + PROBE_MAX_AGE, connection.resync_at)
        )

    async def _probe(self, resource: Resource, spec: Any, connection: Connection) -> tuple[bool, Probe]:
        """Whether it is a new connection, and what the server says."""
        renewed = False
        try:
            url = self._kind.url(spec)
            self._hosts.require(url)
            secrets = await read_all(self._client, resource.key.namespace, self._kind.secrets(spec))
            settings = self._kind.settings(spec, secrets)
            settings = replace(settings, anywhere=self._hosts.names(url))
            if _known_url(resource, connection) not in {None, settings.url}:
                self._notes.moved(resource.key)
            renewed = await connection.open(settings, self._kind.rate(spec), partial(self._fence, resource), self._gate)
            if connection.client is None or connection.directory is None:
                raise AssertionError("an opened connection has a client")
            return renewed, await self._kind.probe(connection.client, connection.directory)
        except OperatorError as error:
            return renewed, self._kind.unusable(error)

    def _open(self, connection: Connection, spec: Any, *, changed: bool, was_away: bool) -> None:
        """Open the gate, and have all objects compared anew when it is time, or when something has changed. A Coder
        that was away may have come back with another database: what was listed before says nothing any more."""
        interval = max(MIN_RESYNC, self._kind.resync(spec))
        # A list that is read anew before all have been compared with the last one would be all that is ever done.
        due = was_away or (now() >= connection.resync_at and not self._gate.is_behind(connection.key))
        connection.resync_at = min(connection.resync_at, now() + interval)  # it may have been shortened
        if due and connection.directory is not None:
            connection.directory.expire()
            connection.resync_at = now() + interval * random.uniform(0.95, 1.0)  # noqa: S311
        self._gate.open(connection.key, changed=changed, due=due)

    def _outcome(self, resource: Resource, connection: Connection, probe: Probe) -> Outcome:
        lost = () if probe.usable else _not_known(resource, probe.conditions, connection)
        return Outcome(
            ready="True" if probe.usable else "False",
            reason=probe.reason,
            message=probe.message,
            progress=_progress(probe),
            conditions=(*probe.conditions, *lost),
            fields={**probe.fields, "managedObjects": self._tally.managed(resource.key)},
        )

    def _next(self, connection: Connection) -> Result:
        if connection.pause_left:
            return Result(Again.AFTER, connection.pause_left, "waiting")
        if connection.usable:
            connection.retry_delay = 0.0
            left = connection.resync_at - now()
            return Result(Again.AFTER, max(MIN_RESYNC / 2, min(PROBE_INTERVAL * random.uniform(0.9, 1.0), left)))  # noqa: S311
        refused = connection.probe is not None and connection.probe.reason is Reason.UNAUTHORIZED
        cap = REFUSED_RETRY_MAX if refused else RETRY_MAX
        connection.retry_delay = min(cap, max(RETRY_MIN, connection.retry_delay * 2))
        return Result(Again.AFTER, connection.retry_delay * random.uniform(0.8, 1.0), "transient")  # noqa: S311


def _known_url(resource: Resource, connection: Connection) -> str | None:
    """Where it was until now, as far as this process or its status knows."""
    if connection.settings is not None:
        return connection.settings.url
    return (resource.status.get("identity") or {}).get("url")


def _entitlements(probe: Probe) -> tuple[object, ...]:
    """What objects may wait for."""
    return probe.features, probe.grace


def _not_known(
    resource: Resource, told: Collection[DomainCondition], connection: Connection
) -> tuple[DomainCondition, ...]:
    """The conditions of which nothing is told any more, with what they were, and when that was known. What says so
    already stays, so that nothing is written for it again."""
    known = {condition.type for condition in told} | _OWN
    since = f"at {timestamp(connection.known_at)}" if connection.known_at else "by another process"
    return tuple(
        DomainCondition(
            item["type"], "Unknown", Reason.UNKNOWN, f"last known {since}: {item['status']}, {item['reason']}"
        )
        for item in resource.status.get("conditions") or ()
        if item["type"] not in known and item["status"] != "Unknown"
    )


def _paused(probe: Probe) -> Outcome:
    """What is known of it holds, and its objects wait."""
    return Outcome(
        ready="True",
        reason=probe.reason,
        message=probe.message,
        progress=Progress.DONE,
        conditions=tuple(condition for condition in probe.conditions if condition.status != "Unknown"),
    )


def _progress(probe: Probe) -> Progress:
    if probe.usable:
        return Progress.DONE
    return Progress.STALLED if probe.reason in _NEEDS_A_PERSON else Progress.WORKING
