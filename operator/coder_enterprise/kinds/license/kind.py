"""CoderLicense as the controller drives it: observe, plan, apply, report, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from typing_extensions import override

from coder_enterprise.kinds.license.claims import Term, features, fingerprint, label
from coder_enterprise.kinds.license.declare import license_declarations
from coder_enterprise.kinds.license.find import ObservedLicense, belongs, list_licenses, read_secret
from coder_enterprise.kinds.license.spec import MAX_OWNED, MAX_UUID, LicenseSpec, LicenseStatus
from coder_enterprise.kinds.license.steps import remove, require_counted, upload
from coder_enterprise.kinds.license.validity import validity
from coder_enterprise.kinds.machinery.base import APPLIED, Context, ManagedKind, Progress, Verdict
from coder_enterprise.kinds.machinery.changes import Action, Change, creates
from coder_enterprise.kinds.machinery.common import AGE_COLUMNS, READY_COLUMNS, STATUS_DEFAULT, ManagementPolicy
from coder_enterprise.kinds.machinery.crd import Column, custom_resource_definition
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.moments import MIN_REVISIT, revisit_in, timestamp
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Names, Resource

CLAIMED: Final = "spec.secretRef"


class LicenseKind(ManagedKind[LicenseSpec, ObservedLicense]):
    names = Names("CoderLicense", "coderlicenses", "coderlicense", "coderlic")
    things = "licences"
    spec_model = LicenseSpec
    calls = (
        "entitlements.get",
        "licenses.add",
        "licenses.delete",
        "licenses.list",
    )
    alters_deployment = True
    crd = custom_resource_definition(
        names=names,
        spec=LicenseSpec,
        status=LicenseStatus,
        status_default=dict(STATUS_DEFAULT),
        description="A licence of a Coder deployment from a Secret: uploaded, renewed, and watched until it expires.",
        columns=(
            *READY_COLUMNS,
            Column("External ID", ".status.id"),
            Column("Days left", ".status.daysLeft", type="integer"),
            Column("Valid", '.status.conditions[?(@.type=="Valid")].reason'),
            Column("Expires", ".status.expiresAt", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def secrets(self, resource: Resource, spec: LicenseSpec) -> tuple[str, ...]:
        return (spec.secret_ref.name,)

    @override
    def external_name(self, resource: Resource, spec: LicenseSpec) -> str:
        """The same for all: which licence it is stands in the Secret, where only `identity` can look."""
        return "licence"

    @override
    async def identity(self, context: Context, resource: Resource, spec: LicenseSpec) -> str:
        return fingerprint((await read_secret(context, resource, spec)).claims)

    @override
    async def observe(self, context: Context, resource: Resource, spec: LicenseSpec, *, fresh: bool) -> ObservedLicense:
        # The Secret may be gone before the object: what is to be removed is then known from status alone.
        declared = None if resource.deleting else await read_secret(context, resource, spec)
        listed = await list_licenses(context, fresh=fresh)
        recorded = resource.status.get("owned") or ()
        own = [item for item in listed if belongs(item, resource.external_id, recorded)]
        wanted = fingerprint(declared.claims) if declared else ""
        matching = [item for item in listed if fingerprint(item.claims) == wanted] if declared else own
        current = next((item for item in matching if item in own), matching[0] if matching else None)
        return ObservedLicense(
            external_id=str(current.id) if current else None,
            fresh=fresh,
            intended=wanted in recorded,
            moved_on=wanted not in recorded or any(item is not current for item in own),
            declared=declared,
            current=current,
            others=tuple(item for item in own if item is not current),
            now=datetime.now(UTC),
        )

    @override
    def plan(self, desired: LicenseSpec, observed: ObservedLicense, recorded: Mapping[str, Any]) -> list[Change]:
        changes = []
        if observed.current is None:
            claims = observed.claims
            changes.append(Change(Action.CREATE, CLAIMED, after=label(claims), subject=fingerprint(claims)))
        ours = observed.intended or observed.external_id in {None, recorded.get("id")}
        if ours and observed.may_retire(desired):  # what is to be adopted is adopted first
            changes += [
                Change(Action.REMOVE, "spec.retireOld", before=label(old.claims), subject=str(old.id))
                for old in observed.others
            ]
        return changes

    @override
    def intent(self, desired: LicenseSpec, changes: Sequence[Change], recorded: Mapping[str, Any]) -> dict[str, Any]:
        """After a crash, this tells our upload from one that was made by hand, whatever the Secret holds by then."""
        known = recorded.get("owned") or []
        added = [change.subject for change in changes if change.action is Action.CREATE and change.subject not in known]
        return {"owned": [*known, *added][-MAX_OWNED:]} if added else {}

    @override
    async def apply(
        self, context: Context, desired: LicenseSpec, observed: ObservedLicense, changes: Sequence[Change]
    ) -> ObservedLicense:
        current = observed.current
        if creates(changes, CLAIMED) and observed.declared is not None:
            current = await upload(context, observed.declared)
        retired = {change.subject for change in changes if change.action is Action.REMOVE}
        if retired and current is not None:
            await require_counted(context, current)
        for license_id in sorted(retired):
            await remove(context, license_id)
        return replace(
            observed,
            external_id=str(current.id) if current else None,
            fresh=True,
            current=current,
            others=tuple(old for old in observed.others if str(old.id) not in retired),
        )

    @override
    def report(
        self,
        desired: LicenseSpec,
        observed: ObservedLicense,
        changes: Sequence[Change],
        recorded: Mapping[str, Any],
    ) -> dict[str, Any]:
        current, term = observed.current, observed.term
        if current is None or term is None:
            shown: dict[str, Any] = dict.fromkeys(
                ("id", "uuid", "expiresAt", "graceUntil", "daysLeft", "trial", "features")
            )
        else:
            shown = {
                "id": str(current.id),
                "uuid": current.uuid[:MAX_UUID] or None,
                "expiresAt": timestamp(term.expires),
                "graceUntil": timestamp(term.ends),
                "daysLeft": term.days_left(observed.now),
                "trial": term.trial,
                "features": features(current.claims) or None,
            }
        return shown | {"owned": _owned(desired, observed, recorded) or None}

    @override
    def verdict(self, desired: LicenseSpec, observed: ObservedLicense) -> Verdict:
        term = observed.term
        if observed.current is None or term is None:
            return APPLIED
        condition = validity(term, observed.now)
        expired = condition.reason is Reason.EXPIRED
        return Verdict(
            progress=Progress.STALLED if expired else Progress.DONE,
            reason=Reason.EXPIRED if expired else Reason.APPLIED,
            message=condition.message if expired else "applied",
            conditions=(condition,),
            revisit=_look_again_in(desired, observed, term),
        )

    @override
    async def delete(self, context: Context, resource: Resource) -> None:
        ids = {resource.external_id} if resource.external_id else set()
        owned = resource.status.get("owned") or ()
        if owned:
            ids |= {
                str(item.id) for item in await list_licenses(context, fresh=True) if fingerprint(item.claims) in owned
            }
        for license_id in sorted(ids):
            await remove(context, license_id)

    @override
    async def declarations(self, context: Context, names: Mapping[str, str]) -> Sequence[Declaration]:
        return await license_declarations(context)


def _look_again_in(desired: LicenseSpec, observed: ObservedLicense, term: Term) -> float | None:
    if observed.others and observed.may_retire(desired) and desired.management_policy is ManagementPolicy.ENFORCE:
        return MIN_REVISIT
    change = term.next_change(observed.now)
    return revisit_in(change - observed.now) if change else None


def _owned(desired: LicenseSpec, observed: ObservedLicense, recorded: Mapping[str, Any]) -> list[str]:
    """What the object may remove from Coder: what it keeps there, and what it still has to retire."""
    if desired.management_policy is not ManagementPolicy.ENFORCE:
        return list(recorded.get("owned") or ())
    old = observed.others if desired.retire_old else ()
    kept = [*old, *([observed.current] if observed.current else [])]
    return sorted({fingerprint(item.claims) for item in kept})[:MAX_OWNED]
