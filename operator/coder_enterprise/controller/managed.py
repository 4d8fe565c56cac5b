"""Reconciles one object that stands for something in Coder: observe, plan, apply, one status patch.

Called by the manager's workers. A short list of steps, each of which may end the reconcile by raising; how an error
is said and when it is tried again is decided in one place. It knows policies, ownership and deletion; what a group
or a proxy is, only the kind knows.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic import ValidationError

from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.controller import metrics
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.kubernetes import KubernetesError
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.result import Again, Result, failed, invalid_spec, result_of
from coder_enterprise.controller.status import Outcome, Progress, acknowledged, compose
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds import durations
from coder_enterprise.kinds.base import (
    DRIFT,
    Action,
    Change,
    ConnectionKind,
    Context,
    DomainCondition,
    KindError,
    ManagedKind,
    Observation,
    Verdict,
    stalled,
    waiting,
)
from coder_enterprise.kinds.common import AdoptionPolicy, DeletionPolicy, ManagedSpec, ManagementPolicy
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import (
    CLAIM,
    FINALIZER,
    FORCE_DETACH,
    RECONCILE_REQUESTED_AT,
    Key,
    Resource,
)

ORPHAN_GRACE: Final = 10.0
"""Seconds that a CoderDeployment may be missing before objects are deleted without it."""
MAX_JITTER: Final = 2.0
"""Both in seconds."""
CHANGES_IN_EVENT: Final = 5
PENDING: Final = ("pendingMembers", "pending")
"""Status fields that name who or what is waited for: that they come is no drift."""

log = structlog.get_logger(__name__)


class Parked(Exception):
    """The deployment has not been asked yet; its first answer wakes the object."""


@dataclass(frozen=True)
class _Work:
    """One reconcile's own things."""

    kind: ManagedKind[Any, Any]
    spec: ManagedSpec
    context: Context
    claim: str


class ManagedReconciler:
    def __init__(
        self,
        kinds: Sequence[ManagedKind[Any, Any]],
        connection_kind: ConnectionKind[Any],
        store: Store,
        connections: Connections,
        writer: Writer,
        recorder: Recorder,
        ask: Callable[[Key], None],
        people_came: Callable[[Key], None],
    ) -> None:
        """`ask` has a deployment say anew how it is; `people_came` visits its objects that wait for people."""
        self._ask = ask
        self._people_came = people_came
        self._kinds = {kind.names.kind: kind for kind in kinds}
        self._connection_kind = connection_kind
        self._store = store
        self._connections = connections
        self._writer = writer
        self._recorder = recorder
        self._orphaned_at: dict[str, float] = {}
        self._new: set[str] = set()
        """Uids of objects that have not been Ready since they were made."""

    async def reconcile(self, resource: Resource) -> Result:
        """One visit. Raises only `KubernetesError` and `LeadershipLost`."""
        try:
            if resource.deleting:
                return await self._delete(resource)
            return await self._apply(resource)
        except Parked:
            return Result(label="waiting")
        except OperatorError as error:
            await self._say(resource, error)
            return result_of(error)
        except (KubernetesError, LeadershipLost):
            raise
        except Exception:
            log.exception("a fault of the operator", object=str(resource.key))
            await self._say(resource, OperatorError("a fault of the operator itself; its log has the details"))
            return Result(Again.BACKOFF, label="fault")

    # Declared objects

    async def _apply(self, resource: Resource) -> Result:
        kind = self._kinds[resource.key.kind]
        spec = self._parse(kind, resource)
        if spec.suspend:
            await self._finish(resource, _suspended(resource))
            return Result()
        context = self._context(resource, kind)
        work = _Work(kind, spec, context, _claim(resource, kind, spec))
        await self._refuse_rivals(work, resource)
        observed, changes = await self._look(work, resource)
        if spec.management_policy is not ManagementPolicy.ENFORCE:
            verdict = kind.verdict(spec, observed)
            await self._finish(resource, _reported(work, resource, observed, changes, verdict))
            return _next(spec, verdict)
        self._require_ownership(work, resource, observed, changes)
        return await self._enforce(work, resource, observed, changes)

    async def _enforce(
        self, work: _Work, resource: Resource, observed: Observation, changes: Sequence[Change]
    ) -> Result:
        kind, spec = work.kind, work.spec
        before = resource
        resource = await self._writer.claim(resource, work.claim)
        drifted = bool(changes) and not observed.moved_on
        if changes:
            intent = kind.intent(spec, changes, resource.status)
            if intent:
                resource = await self._writer.status(resource, {**resource.status, **intent})
            try:
                observed = await kind.apply(work.context, spec, observed, changes)
            except OperatorError as error:
                if error.reason == Reason.ALREADY_EXISTS and resource.external_id is None:
                    # Somebody else took the name after we looked: what is there now is not ours.
                    await self._writer.release(resource)
                raise
            self._tell_others(work, resource)
        fields = kind.report(spec, observed, changes, resource.status)
        if observed.trouble is not None:
            recorded = {**resource.status, **fields}
            await self._writer.status(resource, {key: value for key, value in recorded.items() if value is not None})
            raise observed.trouble
        if drifted:
            self._announce(before, changes)
        verdict = kind.verdict(spec, observed)
        await self._finish(resource, _applied(fields, verdict))
        return _next(spec, verdict)

    def _tell_others(self, work: _Work, resource: Resource) -> None:
        """Whom it concerns that something was applied."""
        deployment = self._deployment_key(resource)
        if work.kind.alters_deployment:
            self._ask(deployment)
        if work.kind.alters_people:
            self._people_came(deployment)

    async def _look(self, work: _Work, resource: Resource) -> tuple[Observation, list[Change]]:
        """Observe and plan; a plan that would write is made once more from a fresh look."""
        kind, spec = work.kind, work.spec
        observed = await kind.observe(work.context, resource, spec, fresh=_must_read(work, resource))
        changes = kind.plan(spec, observed, resource.status)
        if not observed.fresh and (changes or not self._is_ours(work, resource, observed)):
            observed = await kind.observe(work.context, resource, spec, fresh=True)
            changes = kind.plan(spec, observed, resource.status)
        return observed, changes

    def _is_ours(self, work: _Work, resource: Resource, observed: Observation) -> bool:
        if observed.external_id is None or observed.external_id == resource.external_id:
            return True
        return observed.intended or (resource.external_id is None and resource.annotations.get(CLAIM) == work.claim)

    def _require_ownership(
        self, work: _Work, resource: Resource, observed: Observation, changes: Sequence[Change]
    ) -> None:
        if self._is_ours(work, resource, observed):
            return
        name = work.kind.title(resource, work.spec)
        holders = self._holders(resource, observed.external_id)
        if holders:
            raise stalled(
                Reason.CONFLICT,
                f"{name} ({observed.external_id}) belongs to {holders[0].key} already; remove one of the two",
            )
        policy = work.spec.adoption_policy
        if (
            observed.free
            or policy is AdoptionPolicy.ADOPT
            or (policy is AdoptionPolicy.ADOPT_IF_IDENTICAL and not changes)
        ):
            return
        differs = _summary(changes) or "it is identical"
        if policy is AdoptionPolicy.FAIL:
            raise stalled(
                Reason.ALREADY_EXISTS,
                f"{name} exists in Coder already ({observed.external_id}) and was not made by this object: "
                f"{differs}; set spec.adoptionPolicy to AdoptIfIdentical or Adopt to take it over, or name another",
                changes,
            )
        raise stalled(
            Reason.NOT_IDENTICAL,
            f"{name} exists in Coder already ({observed.external_id}) and differs: {differs}; change spec, or set "
            "spec.adoptionPolicy to Adopt",
            changes,
        )

    async def _refuse_rivals(self, work: _Work, resource: Resource) -> None:
        """Two objects, one thing in Coder: who recorded it, else the oldest, wins."""
        if work.spec.management_policy is ManagementPolicy.OBSERVE:
            return
        name = work.kind.external_name(resource, work.spec)
        mine = _precedence(resource, name)
        identity = ""
        named = self._store.find(("name", resource.key.kind, name))
        # Under another name, or by id, another one may have recorded the same thing at the same moment.
        held = self._store.find(("id", resource.key.kind, resource.external_id)) if resource.external_id else ()
        for key in dict.fromkeys((*named, *held)):
            other = self._store.get(key)
            if other is None or key == resource.key:
                continue
            if _precedence(other, name) > mine if key in named else other.age > resource.age:
                continue
            identity = identity or await work.kind.identity(work.context, resource, work.spec)
            if await self._claims(work, other, identity):
                raise stalled(
                    Reason.CONFLICT,
                    f"{key.kind} {key.namespace}/{key.name} claims the same thing in Coder and was first; "
                    "remove one of the two",
                )

    async def _claims(self, work: _Work, other: Resource, identity: str) -> bool:
        try:
            spec = self._parse(work.kind, other)
        except OperatorError:
            return False
        if spec.management_policy is not ManagementPolicy.ENFORCE:
            return False
        if self._url(self._deployment_key(other)) != work.context.client.settings.url:
            return False
        try:
            return await work.kind.identity(work.context, other, spec) == identity
        except OperatorError:
            return False

    # Dependencies

    def _parse(self, kind: ManagedKind[Any, Any], resource: Resource) -> ManagedSpec:
        try:
            spec: ManagedSpec = kind.spec_model.model_validate(resource.spec)
        except ValidationError as error:
            raise invalid_spec(error) from None
        return spec

    def _deployment_key(self, resource: Resource) -> Key:
        return Key(self._connection_kind.names.kind, *resource.deployment)

    def _context(self, resource: Resource, kind: ManagedKind[Any, Any]) -> Context:
        key = self._deployment_key(resource)
        deployment = self._store.get(key)
        if deployment is None:
            raise waiting(
                Reason.WAITING_FOR_DEPLOYMENT,
                f"spec.deploymentRef: there is no CoderDeployment {key.namespace}/{key.name}; create it",
            )
        self._require_consent(resource, deployment)
        connection = self._connections.get(key)
        if connection is None or connection.probing:
            raise Parked
        context = connection.context()
        if context is None:
            raise waiting(
                Reason.WAITING_FOR_DEPLOYMENT,
                f"CoderDeployment {key.namespace}/{key.name} cannot be used: {connection.why_not}",
            )
        features = connection.probe.features if connection.probe else None
        if kind.feature and features is not None and not features.get(kind.feature, False):
            raise waiting(
                Reason.NOT_ENTITLED,
                f"the feature {kind.feature} is not enabled on this deployment; add a licence",
            )
        return context

    def _require_consent(self, resource: Resource, deployment: Resource) -> None:
        namespace = resource.key.namespace
        if namespace == deployment.key.namespace:
            return
        try:
            spec = self._connection_kind.spec_model.model_validate(deployment.spec)
        except ValidationError:
            spec = None
        if spec is None or not self._connection_kind.allows(spec, deployment.key.namespace, namespace):
            raise stalled(
                Reason.NOT_ALLOWED,
                f"CoderDeployment {deployment.key.namespace}/{deployment.key.name} does not list namespace "
                f"{namespace} in spec.allowedNamespaces",
            )

    # Deletion

    async def _delete(self, resource: Resource) -> Result:
        if FINALIZER not in resource.finalizers:
            return Result()
        reason = self._reason_to_let_go(resource)
        if reason:
            return await self._release(resource, "Released", reason)
        context = self._context_for_deletion(resource)
        if context is None:
            return await self._await_deployment(resource)
        self._orphaned_at.pop(resource.uid, None)
        kind = self._kinds[resource.key.kind]
        try:
            target = await self._find_unrecorded(kind, context, resource)
            if target.external_id is None or self._shared(target):
                return await self._release(resource, "Released", "nothing in Coder belongs to it alone")
            done = await kind.delete(context, target)
        except OperatorError as error:
            raise _deletion_waits(resource, error.message, Meaning.TRANSIENT) from None
        if kind.alters_deployment:
            self._ask(self._deployment_key(resource))
        if done:
            return await self._release(target, "Released", done)
        return await self._release(target, "Deleted", f"{target.external_id} is deleted from Coder")

    def _reason_to_let_go(self, resource: Resource) -> str:
        """Why Coder is not touched; "" when it must be."""
        left = resource.external_id or "nothing"
        if resource.annotations.get(FORCE_DETACH) == "true":
            return f"detached by annotation; {left} stays in Coder"
        if resource.spec.get("deletionPolicy") == DeletionPolicy.RETAIN:
            return f"deletionPolicy is Retain; {left} stays in Coder"
        policy = resource.spec.get("managementPolicy", ManagementPolicy.ENFORCE)
        if policy != ManagementPolicy.ENFORCE:
            return f"managementPolicy is {policy}; {left} stays in Coder"
        if resource.external_id is None and CLAIM not in resource.annotations:
            return "it was never applied"
        return ""

    def _context_for_deletion(self, resource: Resource) -> Context | None:
        connection = self._connections.get(self._deployment_key(resource))
        return connection.context_for_deletion() if connection else None

    async def _await_deployment(self, resource: Resource) -> Result:
        """Without a way to reach Coder: wait while its CoderDeployment is there, else let go after a while."""
        key = self._deployment_key(resource)
        connection = self._connections.get(key)
        if self._store.get(key) is not None:
            self._orphaned_at.pop(resource.uid, None)
            if connection is None or connection.probing:
                raise Parked
            raise _deletion_waits(
                resource,
                f"CoderDeployment {key.namespace}/{key.name} cannot be used: {connection.why_not}",
                Meaning.WAITING,
            )
        now = asyncio.get_running_loop().time()
        left = self._orphaned_at.setdefault(resource.uid, now) + ORPHAN_GRACE - now
        if left > 0:
            return Result(Again.AFTER, left, "waiting")
        stays = resource.external_id or resource.annotations.get(CLAIM, "")
        return await self._release(
            resource,
            "Orphaned",
            f"CoderDeployment {key.namespace}/{key.name} is gone, and its credentials with it; {stays} stays in Coder",
        )

    async def _find_unrecorded(self, kind: ManagedKind[Any, Any], context: Context, resource: Resource) -> Resource:
        """After a crash between create and status: what the claim says we were about to create, if it is there."""
        if resource.external_id is not None:
            return resource
        spec = self._parse(kind, resource)
        if resource.annotations.get(CLAIM) != _claim(resource, kind, spec):
            return resource
        try:
            observed = await kind.observe(context, resource, spec, fresh=True)
        except KindError as error:
            if error.meaning is not Meaning.WAITING:
                raise
            return resource  # what it was to be made in is gone
        if observed.external_id is None:
            return resource
        return await self._writer.status(resource, {**resource.status, "id": observed.external_id})

    def _shared(self, resource: Resource) -> bool:
        """Another object has recorded the same thing, and stays or lets it stay: it is that object's now."""
        holders = self._holders(resource, resource.external_id)
        return any(not holder.deleting or self._reason_to_let_go(holder) for holder in holders)

    def _holders(self, resource: Resource, external_id: str | None) -> list[Resource]:
        """Other objects that have recorded this id of the same server."""
        found = (self._store.get(key) for key in self._store.find(("id", resource.key.kind, external_id)))
        return [
            other
            for other in found
            if other is not None and other.key != resource.key and self._on_one_server(resource, other)
        ]

    def _on_one_server(self, resource: Resource, other: Resource) -> bool:
        """Whether both refer to the same Coder; unless the opposite is known, they do."""
        keys = (self._deployment_key(resource), self._deployment_key(other))
        urls = {self._url(key) for key in keys} - {None}
        return keys[0] == keys[1] or len(urls) < 2

    def _url(self, deployment: Key) -> str | None:
        """Where that Coder is; None when nobody knows. Also of a deployment that another replica works for."""
        connection = self._connections.get(deployment)
        if connection is not None and connection.settings is not None:
            return connection.settings.url
        declared = self._store.get(deployment)
        if declared is None:
            return None
        try:
            return self._connection_kind.url(self._connection_kind.spec_model.model_validate(declared.spec))
        except ValidationError:
            return None

    async def _release(self, resource: Resource, event: str, note: str) -> Result:
        say = self._recorder.warning if event == "Orphaned" or FORCE_DETACH in resource.annotations else None
        await self._writer.release(resource)
        self._orphaned_at.pop(resource.uid, None)
        self._new.discard(resource.uid)
        (say or self._recorder.normal)(resource, event, "Delete", note)
        log.info("released", object=str(resource.key), why=note)
        return Result()

    # Saying it

    async def _finish(self, resource: Resource, outcome: Outcome) -> None:
        was, before = resource.condition("Ready"), resource
        if was is None or was["reason"] == Reason.PENDING:
            self._new.add(resource.uid)
        await self._writer.status(resource, compose(resource, outcome))
        if outcome.ready == "True" and resource.uid in self._new:
            self._new.discard(resource.uid)
            metrics.time_to_ready_seconds.labels(resource.key.kind).observe(_age(resource))
        self._warn(before, outcome.conditions)
        known = (was["status"], was["reason"]) if was else ("Unknown", Reason.PENDING)
        if known == (outcome.ready, outcome.reason):
            return
        if outcome.ready == "True":
            # That a new object is applied is what everybody expects; status says it.
            if known[1] != Reason.PENDING:
                self._recorder.normal(before, outcome.reason, "Reconcile", outcome.message)
        elif outcome.progress is not Progress.WORKING:
            self._recorder.warning(before, outcome.reason, "Reconcile", outcome.message)

    def _warn(self, before: Resource, conditions: Sequence[DomainCondition]) -> None:
        """An event for each condition that a person should hear of, when it comes to it."""
        for condition in conditions:
            known = before.condition(condition.type)
            if condition.warns and (known is None or known["reason"] != condition.reason):
                self._recorder.warning(before, condition.reason, "Reconcile", condition.message)

    async def _say(self, visited: Resource, error: OperatorError) -> None:
        """An object at rest keeps what it says while its deployment is out: that is said once, there."""
        current = self._store.get(visited.key)
        if current is None or current.uid != visited.uid:
            return
        resource = current.as_read(visited)
        outage = error.meaning is Meaning.TRANSIENT or (
            error.reason == Reason.WAITING_FOR_DEPLOYMENT
            and self._store.get(self._deployment_key(resource)) is not None
        )
        if outage and resource.settled and not _requested(resource):
            return
        await self._finish(resource, failed(error))

    def _announce(self, resource: Resource, changes: Sequence[Change]) -> None:
        """Events, when a settled object needed changes: it was changed in Coder, or something was due."""
        if not resource.settled:
            return
        if any(change.action is Action.ADD for change in changes) and any(map(resource.status.get, PENDING)):
            return
        for event in dict.fromkeys(change.event for change in changes):
            told = [change for change in changes if change.event == event]
            if event == DRIFT:
                metrics.drift_found.labels(resource.key.kind).inc(len(told))
                self._recorder.warning(resource, event, "Reconcile", f"changed in Coder: {_summary(told)}")
            else:
                self._recorder.normal(resource, event, "Reconcile", _summary(told))


def _age(resource: Resource) -> float:
    """Seconds, by two clocks and to the second: Kubernetes dates objects so."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(resource.created)).total_seconds())


def _next(spec: ManagedSpec, verdict: Verdict) -> Result:
    delays = [] if verdict.revisit is None else [verdict.revisit]
    if spec.resync_interval:
        delays.append(durations.seconds(spec.resync_interval))
    if not delays:
        return Result()
    # Objects that were made together are not asked for together; none is asked for too early.
    delay = min(delays)
    return Result(Again.AFTER, delay + random.uniform(0, min(MAX_JITTER, delay / 10)))  # noqa: S311


def _claim(resource: Resource, kind: ManagedKind[Any, Any], spec: ManagedSpec) -> str:
    return f"{resource.uid}/{kind.external_name(resource, spec)}"


def _precedence(resource: Resource, name: str) -> tuple[bool, bool, tuple[str, str]]:
    """Sorts first who has claimed that very name before, then who has an id, then the oldest."""
    claimed = resource.annotations.get(CLAIM) == f"{resource.uid}/{name}"
    return (not claimed, resource.external_id is None, resource.age)


def _requested(resource: Resource) -> bool:
    """A person asked for a reconcile, and has not been answered."""
    requested = resource.annotations.get(RECONCILE_REQUESTED_AT, "")
    return bool(requested) and acknowledged(requested) != resource.status.get("lastHandledReconcileAt")


def _must_read(work: _Work, resource: Resource) -> bool:
    """Whether shared lists are not enough: after an edit, on request, on its own interval, or after a crash."""
    if _requested(resource):
        return True
    if resource.external_id is None:
        return resource.annotations.get(CLAIM) == work.claim
    edited = resource.status.get("observedGeneration") != resource.generation
    synced = resource.condition("Synced")
    applied = resource.ready or (synced is not None and synced["status"] == "True")
    return edited or bool(work.spec.resync_interval) or not applied


def _summary(changes: Sequence[Change]) -> str:
    shown = "; ".join(str(change) for change in changes[:CHANGES_IN_EVENT])
    more = len(changes) - CHANGES_IN_EVENT
    return f"{shown}; and {more} more" if more > 0 else shown


def _applied(fields: dict[str, Any], verdict: Verdict) -> Outcome:
    return Outcome(
        ready="True" if verdict.ready else "False",
        reason=verdict.reason,
        message=verdict.message,
        progress=_progress(verdict),
        synced=DomainCondition("Synced", "True", Reason.IN_SYNC, "Coder has what spec declares"),
        conditions=verdict.conditions,
        dropped=verdict.dropped,
        fields=fields,
    )


def _progress(verdict: Verdict) -> Progress:
    if verdict.ready:
        return Progress.DONE
    return Progress.STALLED if verdict.stalled else Progress.WORKING


def _suspended(resource: Resource) -> Outcome:
    was = resource.condition("Ready")
    return Outcome(
        ready=was["status"] if was else "Unknown",
        reason=Reason.SUSPENDED,
        message="spec.suspend is true: nothing is read or written",
        progress=Progress.DONE,
    )


def _reported(
    work: _Work, resource: Resource, observed: Observation, changes: Sequence[Change], verdict: Verdict
) -> Outcome:
    """managementPolicy Plan and Observe: the difference, and no write."""
    observe = work.spec.management_policy is ManagementPolicy.OBSERVE
    missing = observe and observed.external_id is None
    note = f"{len(changes)} differences from Coder: {_summary(changes)}" if changes else "Coder has what spec declares"
    synced = DomainCondition(
        "Synced", "False" if changes else "True", Reason.DRIFTED if changes else Reason.IN_SYNC, note
    )
    reason = Reason.NOT_FOUND if missing else Reason.OBSERVED if observe else Reason.PLANNED
    fields = work.kind.report(work.spec, observed, (), resource.status)
    if observed.external_id != resource.external_id:
        # Not ours: an id in status would claim it.
        fields = {**fields, "id": resource.external_id}
    return Outcome(
        ready="False" if missing else "True",
        reason=reason,
        message="it does not exist in Coder" if missing else note,
        progress=Progress.WORKING if missing else Progress.DONE,
        synced=synced,
        conditions=verdict.conditions,
        dropped=verdict.dropped,
        fields=fields,
        pending=changes,
    )


def _deletion_waits(resource: Resource, cause: str, meaning: Meaning) -> OperatorError:
    """Waiting for the deployment, whose gate wakes it, or transient, when Coder refused."""
    return KindError(
        Reason.DELETING,
        f"{resource.external_id or 'it'} cannot be deleted from Coder yet: {cause}; to let go without deleting it, "
        f'annotate the object with {FORCE_DETACH}: "true"',
        meaning=meaning,
    )
