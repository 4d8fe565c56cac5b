"""Deletes what an object stands for in Coder, and lets the object go; or lets it go alone.

Called by the reconciler of managed objects. Whatever went first (namespace, Secret, CoderDeployment, server, the thing
itself), an object either goes or says what it waits for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from coder_enterprise.client.clock import now
from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.controller.admission import Admission
from coder_enterprise.controller.agenda import Agenda
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.notes import Notes
from coder_enterprise.controller.ownership import Ownership
from coder_enterprise.controller.result import DONE, Again, Result
from coder_enterprise.controller.telling import News, Teller
from coder_enterprise.controller.visit import parse, understood
from coder_enterprise.controller.writer import Writer
from coder_enterprise.controller.written import writes
from coder_enterprise.kinds.machinery.base import Context, ManagedKind
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.lookups import in_words
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import CLAIM, EXTERNAL_ID, FINALIZER, FORCE_DETACH, Resource
from coder_enterprise.kinds.machinery.retention import left_alone

ORPHAN_GRACE: Final = 10.0
"""Seconds that a CoderDeployment may be missing before objects are deleted without it."""


class Deletion:
    def __init__(
        self,
        kinds: Mapping[str, ManagedKind[Any, Any]],
        admission: Admission,
        ownership: Ownership,
        claims: Claims,
        writer: Writer,
        teller: Teller,
        notes: Notes,
        agenda: Agenda,
    ) -> None:
        self._kinds = kinds
        self._admission = admission
        self._ownership = ownership
        self._claims = claims
        self._writer = writer
        self._teller = teller
        self._notes = notes
        self._agenda = agenda
        self._orphaned_at: dict[str, float] = {}
        """Since when objects, by uid, have had no CoderDeployment."""

    async def reconcile(self, resource: Resource) -> Result:
        """One visit. Raises `Parked`, `KindError`, `KubernetesError` and `LeadershipLost`."""
        if FINALIZER not in resource.finalizers:
            return DONE
        kind = self._kinds[resource.key.kind]
        reason = self._reason_to_let_go(resource)
        if reason:
            return await self._release(resource, News("Released", reason))
        orphaned_at = self._orphaned_at.pop(resource.uid, now())
        try:
            context = await self._admission.context_for_deletion(kind, resource, understood(kind.spec_model, resource))
        except KindError as error:
            if error.reason != Reason.NOT_ALLOWED:
                raise _deletion_waits(resource, error.message, Meaning.WAITING) from None
            return await self._release(resource, News("Released", f"{error.message}; {_left(resource)} in Coder", True))
        if context is None:
            return await self._orphan(resource, orphaned_at)
        return await self._delete(kind, context, resource)

    def forget(self, resource: Resource) -> None:
        """It is gone, with or without a visit."""
        self._orphaned_at.pop(resource.uid, None)

    async def _delete(self, kind: ManagedKind[Any, Any], context: Context, resource: Resource) -> Result:
        try:
            target = await self._find_unrecorded(kind, context, resource)
            if target.external_id is None or await self._shared(kind, context, target):
                return await self._release(resource, News("Released", "nothing in Coder belongs to it alone"))
            with writes() as written:
                try:
                    done = await kind.delete(context, target)
                except OperatorError as error:
                    if written:
                        self._notes.stopped_deleting(target, error.message)
                    raise
        except OperatorError as error:
            if resource.external_id is None and in_words(kind, error).reason == Reason.NOT_SERVED:
                return await self._release(resource, News("Released", f"this Coder has no {kind.things}"))
            raise _deletion_waits(resource, error.message, Meaning.TRANSIENT) from None
        self._notes.deleted(kind, target, done)
        if kind.alters_deployment:
            self._agenda.ask(self._admission.deployment_of(resource))
        if done:
            return await self._release(target, News("Released", done))
        return await self._release(target, News("Deleted", f"{target.external_id} is deleted from Coder"))

    def _reason_to_let_go(self, resource: Resource) -> str:
        """Why Coder is not touched; "" when it must be."""
        reason = left_alone(resource.spec, resource.annotations)
        if reason:
            return f"{reason}; {_left(resource)} in Coder"
        if resource.external_id is None and not self._is_claimed(resource):
            return "it was never applied"
        return ""

    def _is_claimed(self, resource: Resource) -> bool:
        """Whether the operator was about to create it. What spec cannot name any more, nobody can look for."""
        kind = self._kinds[resource.key.kind]
        spec = understood(kind.spec_model, resource)
        return spec is not None and self._claims.proves(resource, kind.external_name(resource, spec))

    async def _orphan(self, resource: Resource, orphaned_at: float) -> Result:
        """Nobody knows a way to Coder: let go after a while."""
        key = self._admission.deployment_of(resource)
        left = orphaned_at + ORPHAN_GRACE - now()
        if left > 0:
            self._orphaned_at[resource.uid] = orphaned_at
            return Result(Again.AFTER, left, "waiting")
        gone = f"CoderDeployment {key.namespaced_name} is gone, and its credentials with it"
        return await self._release(resource, News("Orphaned", f"{gone}; {_left(resource)} in Coder", warns=True))

    async def _find_unrecorded(self, kind: ManagedKind[Any, Any], context: Context, resource: Resource) -> Resource:
        """After a crash between create and status: what the claim says we were about to create, if it is there."""
        if resource.external_id is not None:
            return resource
        try:
            observed = await kind.observe(context, resource, parse(kind.spec_model, resource), fresh=True)
        except KindError as error:
            if error.meaning is not Meaning.WAITING:
                raise
            return resource  # what it was to be made in is gone
        if observed.external_id is None:
            return resource
        return await self._writer.status(resource, {**resource.status, EXTERNAL_ID: observed.external_id})

    async def _shared(self, kind: ManagedKind[Any, Any], context: Context, resource: Resource) -> bool:
        """Another object has recorded the same thing, and stays or lets it stay: it is that object's now."""
        holders = await self._ownership.holders(kind, context, resource, resource.external_id)
        return any(not holder.deleting or self._reason_to_let_go(holder) for holder in holders)

    async def _release(self, resource: Resource, news: News) -> Result:
        await self._writer.release(resource)
        self._teller.of_release(resource, news)
        return DONE


def _left(resource: Resource) -> str:
    """What is not touched, for a message."""
    if resource.external_id:
        return f"{resource.external_id} stays"
    return "what it may have made stays" if CLAIM in resource.annotations else "nothing stays"


def _deletion_waits(resource: Resource, cause: str, meaning: Meaning) -> OperatorError:
    """Waiting for the deployment, whose gate wakes it, or transient, when Coder refused."""
    return KindError(
        Reason.DELETING,
        f"{resource.external_id or 'it'} cannot be deleted from Coder yet: {cause}; to let go without deleting it, "
        f'annotate the object with {FORCE_DETACH}: "true"',
        meaning=meaning,
    )
