"""CoderLicense: a licence of a Coder deployment, kept in a Secret.

The rules of Coder behind it: a licence is a JWT, of which Coder shows the claims and never the text; the same text
twice is an error; its uuid (the claim `jti`) may repeat, so that a licence is recognised by all of its claims. Several
may be in force at once. Whether one is genuine, only Coder can tell: nothing is verified here.

Every moment that depends on the clock is in the observation. `daysLeft` changes once a day, and only then is an object
visited and written that is at rest otherwise.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field
from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.directory import Snapshot
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.base import (
    Action,
    Change,
    Context,
    DomainCondition,
    KindError,
    ManagedKind,
    Observation,
    Verdict,
    stalled,
)
from coder_enterprise.kinds.common import (
    AGE_COLUMNS,
    MIN_REVISIT,
    READY_COLUMNS,
    STATUS_DEFAULT,
    ManagedSpec,
    ManagedStatus,
    ManagementPolicy,
    ObjectName,
    SecretKey,
    revisit_in,
    timestamp,
)
from coder_enterprise.kinds.coverage import moment
from coder_enterprise.kinds.crd import Column, custom_resource_definition
from coder_enterprise.kinds.lookups import or_none
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Names, Resource
from coder_enterprise.kinds.schema import KindModel, ListSet
from coder_enterprise.kinds.secret_text import one_word

DAY: Final = timedelta(days=1)
WARN_BELOW: Final = 30
WARN_BELOW_FOR_TRIAL: Final = 7
"""Days left, as Coder counts and warns."""
MAX_UUID: Final = 64
MAX_FEATURES: Final = 128
MAX_FEATURE: Final = 128
MAX_OWNED: Final = 16
MAX_INT64: Final = 2**63 - 1

Claims = Mapping[str, Any]


class LicenseSecretRef(KindModel):
    name: ObjectName
    """Name of a Secret in the same namespace."""
    key: SecretKey = "license"
    """Its key that holds the licence, as Coder sent it. Default: license."""


class LicenseSpec(ManagedSpec):
    secret_ref: LicenseSecretRef
    """The licence. The Secret must have the label enterprise.coder.com/watch: "true", with which it is read again
    within seconds when it changes, or the type enterprise.coder.com/token, with which it is at each resync. A changed
    licence is uploaded before the old one is removed."""
    retire_old: bool = True
    """Once a changed licence is in force, remove from Coder the one that this object had there before.
    Default: true."""


class LicenseStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=16)] | None = None
    """The licence's number in Coder."""
    uuid: Annotated[str, Field(max_length=MAX_UUID)] | None = None
    expires_at: datetime | None = None
    """When the term ends and the grace period begins."""
    grace_until: datetime | None = None
    """When the grace period ends, and with it what the licence gives."""
    days_left: int | None = None
    """Days until the term ends, begun ones included."""
    trial: bool | None = None
    features: Annotated[dict[str, int], Field(max_length=MAX_FEATURES)] | None = None
    """What is licensed: each feature and its limit, or 1. all_features, or the name of a set of features, is all that
    is in it."""
    owned: (
        Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=MAX_OWNED), ListSet()] | None
    ) = None
    """Fingerprints of the claims of the licences in Coder that belong to this object."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the Secret holds."""

    token: str = field(repr=False)
    claims: Claims


@dataclass(frozen=True, slots=True)
class Term:
    """When a licence counts: from `begins` to `expires`, and in its grace period to `ends`."""

    begins: datetime | None
    expires: datetime
    ends: datetime
    trial: bool

    def is_in_force(self, now: datetime) -> bool:
        return (self.begins is None or self.begins <= now) and now < self.ends

    def days_left(self, now: datetime) -> int:
        return max(0, math.ceil((self.expires - now) / DAY))

    def next_change(self, now: datetime) -> datetime | None:
        """The next moment at which something of this is different."""
        days = self.days_left(now)
        moments = [self.begins, self.ends, self.expires - (days - 1) * DAY if days else None]
        return min((moment for moment in moments if moment and moment > now), default=None)


@dataclass(frozen=True, kw_only=True)
class ObservedLicense(Observation):
    declared: Declared | None
    """None when the object is on its way out."""
    current: records.License | None
    """What Coder has of it."""
    others: tuple[records.License, ...]
    """Other licences in Coder that belong to this object: those that it had before."""
    now: datetime

    @property
    def claims(self) -> Claims:
        return self.declared.claims if self.declared else self.current.claims if self.current else {}

    @property
    def term(self) -> Term | None:
        return term_of(self.claims)

    def may_retire(self, desired: LicenseSpec) -> bool:
        """Whether what the object had before may go: not before what it has now is in force."""
        return desired.retire_old and self.term is not None and self.term.is_in_force(self.now)


class LicenseKind(ManagedKind[LicenseSpec, ObservedLicense]):
    names = Names("CoderLicense", "coderlicenses", "coderlicense", "coderlic")
    things = "licences"
    spec_model = LicenseSpec
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
        return fingerprint((await _declared(context, resource, spec)).claims)

    @override
    async def observe(self, context: Context, resource: Resource, spec: LicenseSpec, *, fresh: bool) -> ObservedLicense:
        # The Secret may be gone before the object: what is to be removed is then known from status alone.
        declared = None if resource.deleting else await _declared(context, resource, spec)
        listed = await _listed(context, fresh=fresh)
        recorded = resource.status.get("owned") or ()
        own = [item for item in listed if _belongs(item, resource.external_id, recorded)]
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
            changes.append(Change(Action.CREATE, "spec.secretRef", after=_label(claims), subject=fingerprint(claims)))
        ours = observed.intended or observed.external_id in {None, recorded.get("id")}
        if ours and observed.may_retire(desired):  # what is to be adopted is adopted first
            changes += [
                Change(Action.REMOVE, "spec.retireOld", before=_label(old.claims), subject=str(old.id))
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
        if current is None and observed.declared is not None:
            current = await _upload(context, observed.declared)
        retired = {change.subject for change in changes if change.action is Action.REMOVE}
        if retired and current is not None:
            await _require_counted(context, current)
        for license_id in sorted(retired):
            await _remove(context, license_id)
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
                "features": _features(current.claims) or None,
            }
        return shown | {"owned": _owned(desired, observed, recorded) or None}

    @override
    def verdict(self, desired: LicenseSpec, observed: ObservedLicense) -> Verdict:
        term = observed.term
        if observed.current is None or term is None:
            return Verdict()
        condition = _validity(term, observed.now)
        expired = condition.reason is Reason.EXPIRED
        return Verdict(
            ready=not expired,
            stalled=expired,
            reason=Reason.EXPIRED if expired else Reason.APPLIED,
            message=condition.message if expired else "applied",
            conditions=(condition,),
            revisit=_revisit(desired, observed, term),
        )

    @override
    async def delete(self, context: Context, resource: Resource) -> None:
        ids = {resource.external_id} if resource.external_id else set()
        owned = resource.status.get("owned") or ()
        if owned:
            ids |= {str(item.id) for item in await _listed(context, fresh=True) if fingerprint(item.claims) in owned}
        for license_id in sorted(ids):
            await _remove(context, license_id)


# The Secret


async def _declared(context: Context, resource: Resource, spec: LicenseSpec) -> Declared:
    """Raises `KindError` that never shows what the Secret holds."""
    ref = spec.secret_ref
    place = f"Secret {resource.key.namespace}/{ref.name}"
    values = await context.cluster.secret(resource, ref.name, send=True)
    if values is None:
        raise stalled(
            Reason.SECRET_NOT_FOUND,
            f"spec.secretRef: there is no {place}; create it with the licence under the key {ref.key}",
        )
    token = one_word(values.get(ref.key, ""))
    if not token:
        raise stalled(
            Reason.SECRET_KEY_MISSING,
            f"spec.secretRef: {place} has no value under the key {ref.key}; put the licence there",
        )
    try:
        return Declared(token, read_claims(token))
    except ValueError as error:
        raise stalled(
            Reason.INVALID_LICENSE,
            f"spec.secretRef: {place}, key {ref.key}: {error}; put the licence there as Coder sent it",
        ) from None


def read_claims(token: str) -> Claims:
    """What a licence claims, which nobody has verified. Raises `ValueError` that does not show it."""
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise ValueError("it is no JWT, which is three parts joined by dots")
    try:
        claims = json.loads(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise ValueError("it is no JWT: its second part is no JSON in base64url") from None
    if not isinstance(claims, dict):
        raise ValueError("it is no JWT: its claims are no JSON object")  # noqa: TRY004
    missing = [name for name in ("license_expires", "exp") if moment(claims.get(name)) is None]
    if missing:
        raise ValueError(f"it is a JWT, but no licence: it lacks the claim {missing[0]}, a moment in seconds")
    return claims


# Claims


def fingerprint(claims: Claims) -> str:
    """The same for the same claims, however a server writes their numbers and orders their names."""
    text = json.dumps(_plain(claims), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        # Coder reads all numbers as floats, and so loses the ends of large ones. Not float(value), which overflows.
        return float(str(value))
    return value


def term_of(claims: Claims) -> Term | None:
    """None for claims without an end, which Coder does not accept."""
    expires, ends = moment(claims.get("license_expires")), moment(claims.get("exp"))
    if expires is None or ends is None:
        return None
    return Term(moment(claims.get("nbf")), expires, ends, claims.get("trial") is True)


def _features(claims: Claims) -> dict[str, int]:
    listed = claims.get("features")
    found = dict(listed) if isinstance(listed, dict) else {}
    if claims.get("all_features") is True:
        found["all_features"] = 1
    if isinstance(claims.get("feature_set"), str):
        found[claims["feature_set"]] = 1
    counted = {
        name[:MAX_FEATURE]: value
        for name, value in sorted(found.items())
        if name and type(value) is int and 0 < value <= MAX_INT64
    }
    return dict(list(counted.items())[:MAX_FEATURES])


def _label(claims: Claims) -> str:
    """For people: the licence's own id, and until when it is valid."""
    name = claims.get("jti")
    term = term_of(claims)
    shown = name[:MAX_UUID] if isinstance(name, str) and name else "without an id"
    return f"licence {shown}" + (f", valid until {timestamp(term.expires)}" if term else "")


def _validity(term: Term, now: datetime) -> DomainCondition:
    expires, ends = timestamp(term.expires), timestamp(term.ends)
    below = WARN_BELOW_FOR_TRIAL if term.trial else WARN_BELOW
    advice = "put a new licence into the Secret of spec.secretRef"
    if now >= term.ends:
        message = f"the licence expired at {expires}, and its grace period ended at {ends}; {advice}"
        return DomainCondition("Valid", "False", Reason.EXPIRED, message, warns=True)
    if now >= term.expires:
        message = f"the licence expired at {expires}, and what it gives ends at {ends}; {advice}"
        return DomainCondition("Valid", "True", Reason.GRACE_PERIOD, message, warns=True)
    if term.begins and now < term.begins:
        message = f"the licence is valid from {timestamp(term.begins)} until {expires}"
        return DomainCondition("Valid", "False", Reason.NOT_YET_VALID, message)
    if term.days_left(now) < below:
        message = f"the licence expires at {expires}, within {below} days; {advice}"
        return DomainCondition("Valid", "True", Reason.EXPIRES_SOON, message, warns=True)
    return DomainCondition("Valid", "True", Reason.VALID, f"the licence is valid until {expires}")


def _revisit(desired: LicenseSpec, observed: ObservedLicense, term: Term) -> float | None:
    if observed.others and observed.may_retire(desired) and desired.management_policy is ManagementPolicy.ENFORCE:
        return MIN_REVISIT
    change = term.next_change(observed.now)
    return revisit_in(change - observed.now) if change else None


# Coder


def _shared(context: Context) -> Snapshot[dict[str, records.License]]:
    """All licences, by their number."""

    async def load() -> dict[str, records.License]:
        return {str(item.id): item for item in await context.client.licenses.list()}

    return context.directory.shared("licenses", load)


async def _listed(context: Context, *, fresh: bool) -> tuple[records.License, ...]:
    snapshot = _shared(context)
    found = await snapshot.get(now() if fresh else float("-inf"))
    return tuple(found.values())


def _belongs(item: records.License, recorded_id: str | None, owned: Sequence[str]) -> bool:
    return str(item.id) == recorded_id or fingerprint(item.claims) in owned


def _owned(desired: LicenseSpec, observed: ObservedLicense, recorded: Mapping[str, Any]) -> list[str]:
    """What the object may remove from Coder: what it keeps there, and what it still has to retire."""
    if desired.management_policy is not ManagementPolicy.ENFORCE:
        return list(recorded.get("owned") or ())
    old = observed.others if desired.retire_old else ()
    kept = [*old, *([observed.current] if observed.current else [])]
    return sorted({fingerprint(item.claims) for item in kept})[:MAX_OWNED]


async def _upload(context: Context, declared: Declared) -> records.License:
    try:
        added = await context.client.licenses.add(declared.token)
    except errors.AlreadyTaken as error:
        # Not there a moment ago: an upload of ours whose answer was lost arrived late, or somebody was faster.
        raise KindError(Reason.REQUEST_FAILED, f"{error.message}; looking again", meaning=Meaning.TRANSIENT) from None
    _shared(context).change(lambda listed: listed.update({str(added.id): added}))
    return added


async def _require_counted(context: Context, new: records.License) -> None:
    """Before the old one goes."""
    entitlements = await context.client.deployment.entitlements()
    complaint = next((text for text in entitlements.errors if new.uuid and new.uuid in text), "")
    if complaint or not entitlements.has_license:
        raise stalled(
            Reason.INVALID_LICENSE,
            f"Coder does not count the new licence ({complaint or 'it says that there is none'}); "
            "the old one stays until it does",
        )


async def _remove(context: Context, license_id: str) -> None:
    """What is gone counts as removed: Coder answers 404 only to those who may remove it."""
    await or_none(context.client.licenses.delete(license_id))
    _shared(context).change(lambda listed: _drop(listed, license_id))


def _drop(listed: dict[str, records.License], license_id: str) -> None:
    listed.pop(license_id, None)
