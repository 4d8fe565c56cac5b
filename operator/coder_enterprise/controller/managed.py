"""Reconciles one object that stands for something in Coder: observe, plan, apply, one status patch.

Called by the manager's workers. A short list of steps, each of which may end the reconcile by raising; how an error
is said and when it is tried again is decided in one place. It knows policies; whose a thing is, `ownership` decides,
how an object goes, `deletion`; what a group or a proxy is, only the kind knows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from coder_enterprise.client.clock import now
from coder_enterprise.client.errors import Meaning, NotFound, OperatorError
from coder_enterprise.controller import metrics
from coder_enterprise.controller.admission import Admission
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.deletion import Deletion
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.kubernetes import KubernetesError
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.ownership import Ownership, Work, parse
from coder_enterprise.controller.result import Again, Parked, Result, failed, result_of
from coder_enterprise.controller.status import Outcome, Progress, acknowledged, compose, summary, suspended
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds import durations
from coder_enterprise.kinds.base import (
    DRIFT,
    Action,
    Change,
    DomainCondition,
    ManagedKind,
    Observation,
    Verdict,
    stalled,
)
from coder_enterprise.kinds.common import ManagedSpec, ManagementPolicy
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import RECONCILE_REQUESTED_AT, Key, Resource

MAX_JITTER: Final = 2.0
"""Seconds."""
PENDING: Final = ("pendingMembers", "pending")
"""Status fields that name who or what is waited for: that they come is no drift."""

log = structlog.get_logger(__name__)


class _JustMade(Exception):
    """Coder refused a create, because somebody else had made it after we looked."""

    def __init__(self, resource: Resource, refusal: OperatorError) -> None:
        super().__init__(refusal.message)
        self.resource = resource
        self.refusal = refusal


class ManagedReconciler:
    def __init__(
        self,
        kinds: Sequence[ManagedKind[Any, Any]],
        store: Store,
        admission: Admission,
        claims: Claims,
        keepsakes: Keepsakes,
        writer: Writer,
        recorder: Recorder,
        ask: Callable[[Key], None],
        people_came: Callable[[Key], None],
    ) -> None:
        """`ask` has a deployment say anew how it is; `people_came` visits its objects that wait for people."""
        self._ask = ask
        self._people_came = people_came
        self._kinds = {kind.names.kind: kind for kind in kinds}
        self._store = store
        self._claims = claims
        self._keepsakes = keepsakes
        self._writer = writer
        self._recorder = recorder
        self._admission = admission
        self._ownership = Ownership(store, admission, claims)
        self._deletion = Deletion(self._kinds, admission, self._ownership, claims, writer, recorder, ask)
        self._new: set[str] = set()
        """Uids of objects that have not been Ready since they were made."""
        self._read_at: dict[str, float] = {}
        """When objects, by uid, were last read that have an interval of their own."""

    async def reconcile(self, resource: Resource) -> Result:
        """One visit. Raises only `KubernetesError` and `LeadershipLost`."""
        try:
            if resource.deleting:
                return await self._deletion.reconcile(resource)
            return await self._apply(resource)
        except Parked:
            return Result(label="waiting")
        except OperatorError as error:
            understood = _in_words(self._kinds[resource.key.kind], error)
            await self._say(resource, understood)
            return result_of(understood)
        except (KubernetesError, LeadershipLost):
            raise
        except Exception:
            log.exception("a fault of the operator", object=str(resource.key))
            await self._say(resource, OperatorError("a fault of the operator itself; its log has the details"))
            return Result(Again.BACKOFF, label="fault")

    # Declared objects

    async def _apply(self, resource: Resource) -> Result:
        kind = self._kinds[resource.key.kind]
        spec = parse(kind, resource)
        if spec.suspend:
            await self._finish(resource, suspended(resource))
            return Result()
        context = await self._admission.context(kind, resource, spec)
        work = Work(kind, spec, context, kind.external_name(resource, spec))
        await self._ownership.refuse_rivals(work, resource)
        try:
            return await self._visit(work, resource, *await self._look(work, resource))
        except _JustMade as made:
            return await self._look_again(work, made)

    async def _look_again(self, work: Work, made: _JustMade) -> Result:
        """Whether what somebody else has just made may be adopted shows in a look at it alone."""
        resource = made.resource
        observed = await work.kind.observe(work.context, resource, work.spec, fresh=True)
        if observed.external_id is None:  # Coder does not show it
            raise made.refusal
        try:
            return await self._visit(work, resource, observed, work.kind.plan(work.spec, observed, resource.status))
        except _JustMade as again:
            raise again.refusal from None

    async def _visit(self, work: Work, resource: Resource, observed: Observation, changes: Sequence[Change]) -> Result:
        kind, spec = work.kind, work.spec
        if spec.management_policy is not ManagementPolicy.ENFORCE:
            verdict = kind.verdict(spec, observed)
            await self._finish(resource, _reported(work, resource, observed, changes, verdict))
            return _next(self._resync_in(spec, resource), verdict)
        await self._ownership.require(work, resource, observed, changes)
        return await self._enforce(work, resource, observed, changes)

    async def _enforce(
        self, work: Work, resource: Resource, observed: Observation, changes: Sequence[Change]
    ) -> Result:
        kind, spec = work.kind, work.spec
        before = resource
        resource = await self._writer.claim(resource, self._claims.sign(resource, work.name))
        drifted = bool(changes) and not observed.moved_on
        if changes:
            intent = kind.intent(spec, changes, resource.status)
            if intent:
                resource = await self._writer.status(resource, {**resource.status, **intent})
            await self._admission.require(kind, resource, spec, changes)  # also: it may have been withdrawn meanwhile
            try:
                observed = await kind.apply(work.context, spec, observed, changes)
            except OperatorError as error:
                if error.reason != Reason.ALREADY_EXISTS:
                    raise
                if resource.external_id is None:
                    # Somebody else took the name after we looked: what is there now is not ours.
                    released = await self._writer.release(resource)
                    # Not `as_read`: with its annotations the claim would be back.
                    raise _JustMade(
                        replace(released, generation=resource.generation, spec=resource.spec), error
                    ) from None
                raise await self._ownership.explain_taken(work, resource, error) from None
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
        if before.external_id is None:
            await self._keepsakes.drop(resource)
        return _next(self._resync_in(spec, resource), verdict)

    def _tell_others(self, work: Work, resource: Resource) -> None:
        """Whom it concerns that something was applied."""
        deployment = self._admission.deployment_of(resource)
        if work.kind.alters_deployment:
            self._ask(deployment)
        if work.kind.alters_people:
            self._people_came(deployment)

    def forget(self, resource: Resource) -> None:
        """It is gone, with or without a visit."""
        self._new.discard(resource.uid)
        self._read_at.pop(resource.uid, None)
        self._deletion.forget(resource)

    async def _look(self, work: Work, resource: Resource) -> tuple[Observation, list[Change]]:
        """Observe and plan; a plan that would write is made once more from a fresh look."""
        kind, spec = work.kind, work.spec
        fresh = self._must_read(work, resource)
        if fresh and spec.resync_interval:
            self._read_at[resource.uid] = now()
        observed = await kind.observe(work.context, resource, spec, fresh=fresh)
        changes = kind.plan(spec, observed, resource.status)
        if not observed.fresh and (changes or not self._ownership.is_ours(work, resource, observed)):
            observed = await kind.observe(work.context, resource, spec, fresh=True)
            changes = kind.plan(spec, observed, resource.status)
        return observed, changes

    def _must_read(self, work: Work, resource: Resource) -> bool:
        """Whether shared lists are not enough: after an edit, on request, on its own interval, or after a crash."""
        if _requested(resource):
            return True
        if resource.external_id is None:
            return self._claims.proves(resource, work.name)
        edited = resource.status.get("observedGeneration") != resource.generation
        synced = resource.condition("Synced")
        applied = resource.ready or (synced is not None and synced["status"] == "True")
        return edited or not applied or self._resync_in(work.spec, resource) == 0

    def _resync_in(self, spec: ManagedSpec, resource: Resource) -> float | None:
        """Seconds until the object is to be read on its own interval, if it has one."""
        if not spec.resync_interval:
            return None
        read_at = self._read_at.get(resource.uid, float("-inf"))
        return max(0.0, read_at + durations.seconds(spec.resync_interval) - now())

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
            and self._store.get(self._admission.deployment_of(resource)) is not None
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
                self._recorder.warning(resource, event, "Reconcile", f"changed in Coder: {summary(told)}")
            else:
                self._recorder.normal(resource, event, "Reconcile", summary(told))


def _in_words(kind: ManagedKind[Any, Any], error: OperatorError) -> OperatorError:
    """A route that the server does not know says nothing about the object, but about the server."""
    if isinstance(error, NotFound) and error.route_missing:
        return stalled(
            Reason.NOT_SERVED,
            f"this Coder has no {kind.things}: it is the open-source build, or its version is too old for them "
            f"({error.message})",
        )
    return error


def _age(resource: Resource) -> float:
    """Seconds, by two clocks and to the second: Kubernetes dates objects so."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(resource.created)).total_seconds())


def _next(resync_in: float | None, verdict: Verdict) -> Result:
    delays = [delay for delay in (verdict.revisit, resync_in) if delay is not None]
    if not delays:
        return Result()
    # Objects that were made together are not asked for together; none is asked for too early.
    delay = min(delays)
    return Result(Again.AFTER, delay + random.uniform(0, min(MAX_JITTER, delay / 10)))  # noqa: S311


def _requested(resource: Resource) -> bool:
    """A person asked for a reconcile, and has not been answered."""
    requested = resource.annotations.get(RECONCILE_REQUESTED_AT, "")
    return bool(requested) and acknowledged(requested) != resource.status.get("lastHandledReconcileAt")


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


def _reported(
    work: Work, resource: Resource, observed: Observation, changes: Sequence[Change], verdict: Verdict
) -> Outcome:
    """managementPolicy Plan and Observe: the difference, and no write."""
    observe = work.spec.management_policy is ManagementPolicy.OBSERVE
    missing = observe and observed.external_id is None
    count = f"{len(changes)} difference{'s' if len(changes) > 1 else ''}"
    note = f"{count} from Coder: {summary(changes)}" if changes else "Coder has what spec declares"
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
