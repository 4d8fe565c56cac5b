"""Reconciles one object that stands for something in Coder: observe, plan, apply, one status patch.

Called by the workers. A short list of steps, each of which may end the visit by raising; how an error is said and when
it is tried again is decided in one place. It knows policies; whether anything may be called, `admission` decides,
whose a thing is, `ownership`, how an object goes, `deletion`, what people hear, `telling`; what a group or a proxy is,
only the kind knows.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from coder_enterprise.client.clock import now
from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller.admission import Admission
from coder_enterprise.controller.agenda import Agenda
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.deletion import Deletion
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.notes import Notes
from coder_enterprise.controller.outcomes import applied, compared, failed, suspended
from coder_enterprise.controller.ownership import Ownership
from coder_enterprise.controller.queue import Priority
from coder_enterprise.controller.result import DONE, Again, Parked, Result, result_of, until_resumed
from coder_enterprise.controller.status import acknowledged
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.telling import Teller
from coder_enterprise.controller.turns import Turns
from coder_enterprise.controller.visit import Visit, parse
from coder_enterprise.controller.wakes import PEOPLE_DELAY, Wake, people_came
from coder_enterprise.controller.writer import Writer
from coder_enterprise.controller.written import writes
from coder_enterprise.kinds.machinery import durations
from coder_enterprise.kinds.machinery.base import ManagedKind, Observation, Verdict
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import ManagedSpec, ManagementPolicy
from coder_enterprise.kinds.machinery.lookups import in_words
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import RECONCILE_REQUESTED_AT, Key, Resource
from coder_enterprise.kinds.machinery.suspension import suspension

MAX_JITTER: Final = 2.0
"""Seconds."""
FAULT: Final = "a fault of the operator itself; its log has the details"

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
        teller: Teller,
        notes: Notes,
        agenda: Agenda,
    ) -> None:
        self._agenda = agenda
        self._kinds = {kind.names.kind: kind for kind in kinds}
        self._store = store
        self._claims = claims
        self._keepsakes = keepsakes
        self._writer = writer
        self._teller = teller
        self._notes = notes
        self._admission = admission
        self._ownership = Ownership(store, admission, claims)
        self._deletion = Deletion(self._kinds, admission, self._ownership, claims, writer, teller, notes, agenda)
        self._turns = Turns()
        self._read_at: dict[str, float] = {}
        """When objects, by uid, were last read that have an interval of their own."""
        self._came: Counter[Key] = Counter()
        """How often people were made or let in, by CoderDeployment."""

    async def reconcile(self, resource: Resource) -> Result:
        """One visit. Raises only `KubernetesError` and `LeadershipLost`."""
        try:
            if resource.deleting:
                return await self._deletion.reconcile(resource)
            return await self._apply(resource)
        except Parked:
            return Result(label="waiting")
        except OperatorError as error:
            told = in_words(self._kinds[resource.key.kind], error)
            await self._say(resource, told)
            return result_of(told)
        except (KubernetesError, LeadershipLost):
            raise
        except Exception:
            log.exception("a fault of the operator", object=str(resource.key))
            await self._say(resource, OperatorError(FAULT))
            return Result(Again.BACKOFF, label="fault")

    def forget(self, resource: Resource) -> None:
        """It is gone, with or without a visit."""
        self._teller.forget(resource)
        self._notes.gone(resource)
        self._read_at.pop(resource.uid, None)
        self._deletion.forget(resource)

    def freed_by(self, winner: Key) -> list[Wake]:
        """Visits to who has lost against it."""
        return [Wake(key, Priority.RETRY) for key in self._ownership.freed_by(winner)]

    # Declared objects

    async def _apply(self, resource: Resource) -> Result:
        kind = self._kinds[resource.key.kind]
        spec: ManagedSpec = parse(kind.spec_model, resource)
        stopped = suspension(resource.spec)
        if stopped:
            await self._teller.of_object(resource, suspended(resource, stopped))
            return until_resumed(stopped)
        context = await self._admission.context(kind, resource, spec)
        visit = Visit(kind, spec, context, kind.external_name(resource, spec), self._notes.moment)
        deployment = self._admission.deployment_of(resource)
        came = self._came[deployment]
        async with self._turns.of((deployment, kind.names.kind, visit.name)):
            await self._ownership.refuse_rivals(visit, resource)
            try:
                result = await self._decide(visit, resource, *await self._look(visit, resource))
            except _JustMade as made:
                result = await self._look_again(visit, made)
        if self._came[deployment] != came:
            self._look_for_who_came(kind, resource.key)
        return result

    def _look_for_who_came(self, kind: ManagedKind[Any, Any], key: Key) -> None:
        """People came after this visit had looked, and before it was known that it waits for some: nobody woke it."""
        resource = self._store.get(key)
        if resource is not None and kind.waits(resource):
            self._agenda.wake([Wake(key, Priority.RETRY, PEOPLE_DELAY)])

    async def _look_again(self, visit: Visit, made: _JustMade) -> Result:
        """Whether what somebody else has just made may be adopted shows in a look at it alone."""
        resource = made.resource
        observed = await visit.kind.observe(visit.context, resource, visit.spec, fresh=True)
        if observed.external_id is None:  # Coder does not show it
            raise made.refusal
        try:
            return await self._decide(visit, resource, observed, visit.kind.plan(visit.spec, observed, resource.status))
        except _JustMade as again:
            raise again.refusal from None

    async def _decide(
        self, visit: Visit, resource: Resource, observed: Observation, changes: Sequence[Change]
    ) -> Result:
        kind, spec = visit.kind, visit.spec
        if spec.management_policy is not ManagementPolicy.ENFORCE:
            verdict = kind.verdict(spec, observed)
            await self._teller.of_object(resource, compared(visit, resource, observed, changes, verdict))
            return _next(self._resync_in(spec, resource), verdict)
        await self._ownership.require(visit, resource, observed, changes)
        return await self._enforce(visit, resource, observed, changes)

    async def _enforce(
        self, visit: Visit, resource: Resource, observed: Observation, changes: Sequence[Change]
    ) -> Result:
        kind, spec, before, looked = visit.kind, visit.spec, resource, observed
        adopts = self._ownership.adopts(visit, resource, observed)
        resource = await self._writer.claim(resource, self._claims.sign(resource, visit.name))
        if changes:
            with writes() as written:
                try:
                    resource, observed = await self._carry_out(visit, resource, observed, changes)
                except Exception as error:
                    if written:
                        now = await self._how_it_is(visit, resource, error)
                        self._notes.stopped(visit, before, looked, now, changes, _why(kind, error), adopts=adopts)
                    raise
        found = self._notes.changed(visit, before, looked, observed, changes, adopts=adopts)
        fields = kind.report(spec, observed, changes, resource.status)
        if observed.trouble is not None:
            recorded = {**resource.status, **fields}
            await self._writer.status(resource, {key: value for key, value in recorded.items() if value is not None})
            raise observed.trouble
        self._teller.of_changes(before, found)
        self._notes.compared(visit, resource)
        verdict = kind.verdict(spec, observed)
        await self._teller.of_object(resource, applied(fields, verdict))
        if before.external_id is None:
            await self._keepsakes.drop(resource)
        return _next(self._resync_in(spec, resource), verdict)

    async def _carry_out(
        self, visit: Visit, resource: Resource, observed: Observation, changes: Sequence[Change]
    ) -> tuple[Resource, Observation]:
        """Record what is about to be done, and do it; both as they are then."""
        kind, spec = visit.kind, visit.spec
        intent = kind.intent(spec, changes, resource.status)
        if intent:
            resource = await self._writer.status(resource, {**resource.status, **intent})
        await self._admission.require(kind, resource, spec, changes)  # also: it may have been withdrawn meanwhile
        self._notes.begins(kind, resource, changes)
        try:
            observed = await kind.apply(visit.context, spec, observed, changes)
        except OperatorError as error:
            if error.reason != Reason.ALREADY_EXISTS:
                raise
            if resource.external_id is not None:
                raise await self._ownership.explain_taken(visit, resource, error) from None
            # Somebody else took the name after we looked: what is there now is not ours.
            released = await self._writer.release(resource)
            # Not `as_read`: with its annotations the claim would be back.
            raise _JustMade(replace(released, generation=resource.generation, spec=resource.spec), error) from None
        self._tell_others(visit, resource)
        return resource, observed

    async def _how_it_is(self, visit: Visit, resource: Resource, error: Exception) -> Observation | None:
        """After a visit that failed on its way; None where Coder would not say it."""
        if not isinstance(error, OperatorError | KubernetesError) or _is_outage(error):
            return None
        try:
            found: Observation = await visit.kind.observe(visit.context, resource, visit.spec, fresh=True)
        except (OperatorError, KubernetesError):
            return None
        return found

    def _tell_others(self, visit: Visit, resource: Resource) -> None:
        """Whom it concerns that something was applied."""
        deployment = self._admission.deployment_of(resource)
        if visit.kind.alters_deployment:
            self._agenda.ask(deployment)
        if visit.kind.alters_people:
            self._came[deployment] += 1
            self._agenda.wake([people_came(deployment)])

    async def _look(self, visit: Visit, resource: Resource) -> tuple[Observation, list[Change]]:
        """Observe and plan; a plan that would write is made once more from a fresh look."""
        kind, spec = visit.kind, visit.spec
        fresh = self._must_read(visit, resource)
        if fresh and spec.resync_interval:
            self._read_at[resource.uid] = now()
        observed = await kind.observe(visit.context, resource, spec, fresh=fresh)
        changes = kind.plan(spec, observed, resource.status)
        if not observed.fresh and (changes or not self._ownership.is_ours(visit, resource, observed)):
            observed = await kind.observe(visit.context, resource, spec, fresh=True)
            changes = kind.plan(spec, observed, resource.status)
        return observed, changes

    def _must_read(self, visit: Visit, resource: Resource) -> bool:
        """Whether shared lists are not enough: after an edit, on request, on its own interval, or after a crash."""
        if _requested(resource):
            return True
        if resource.external_id is None:
            return self._claims.proves(resource, visit.name)
        edited = resource.status.get("observedGeneration") != resource.generation
        synced = resource.condition("Synced")
        applied = resource.ready or (synced is not None and synced["status"] == "True")
        return edited or not applied or self._resync_in(visit.spec, resource) == 0

    def _resync_in(self, spec: ManagedSpec, resource: Resource) -> float | None:
        """Seconds until the object is to be read on its own interval, if it has one."""
        if not spec.resync_interval:
            return None
        read_at = self._read_at.get(resource.uid, float("-inf"))
        return max(0.0, read_at + durations.seconds(spec.resync_interval) - now())

    # Saying it

    async def _say(self, visited: Resource, error: OperatorError) -> None:
        """An object at rest keeps what it says while its deployment is out: that is said once, there."""
        current = self._store.get(visited.key)
        if current is None or current.uid != visited.uid:
            return
        resource = current.as_read(visited)
        outage = _is_outage(error) or (
            error.reason == Reason.WAITING_FOR_DEPLOYMENT
            and self._store.get(self._admission.deployment_of(resource)) is not None
        )
        if outage and resource.settled and not _requested(resource):
            return
        await self._teller.of_object(resource, failed(error))


def _next(resync_in: float | None, verdict: Verdict) -> Result:
    delays = [delay for delay in (verdict.revisit, resync_in) if delay is not None]
    if not delays:
        return DONE
    # Objects that were made together are not asked for together; none is asked for too early.
    delay = min(delays)
    return Result(Again.AFTER, delay + random.uniform(0, min(MAX_JITTER, delay / 10)))  # noqa: S311


def _is_outage(error: Exception) -> bool:
    return isinstance(error, OperatorError) and error.meaning is Meaning.TRANSIENT


def _why(kind: ManagedKind[Any, Any], error: Exception) -> str:
    """In words that may be shown."""
    if isinstance(error, OperatorError):
        return in_words(kind, error).message
    return str(error) if isinstance(error, KubernetesError | LeadershipLost) else FAULT


def _requested(resource: Resource) -> bool:
    """A person asked for a reconcile, and has not been answered."""
    requested = resource.annotations.get(RECONCILE_REQUESTED_AT, "")
    return bool(requested) and acknowledged(requested) != resource.status.get("lastHandledReconcileAt")
