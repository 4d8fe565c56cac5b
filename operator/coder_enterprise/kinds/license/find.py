"""The licence that a Secret declares, and those that Coder has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from coder_enterprise.client import records
from coder_enterprise.client.snapshots import Snapshot
from coder_enterprise.kinds.license.claims import Claims, Term, fingerprint, read_claims, term_of
from coder_enterprise.kinds.license.spec import LicenseSpec
from coder_enterprise.kinds.machinery.base import Context, Observation
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.lookups import read
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.machinery.secret_text import command, no_secret, no_value, one_word


@dataclass(frozen=True, slots=True)
class Declared:
    """What the Secret holds."""

    token: str = field(repr=False)
    claims: Claims


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


async def read_secret(context: Context, resource: Resource, spec: LicenseSpec) -> Declared:
    """Raises `KindError` that never shows what the Secret holds."""
    ref = spec.secret_ref
    place = f"Secret {resource.key.namespace}/{ref.name}"
    values = await context.beside.secret(resource, ref.name, send=True)
    if values is None:
        advice = f"create it with the licence under the key {ref.key}: {command(ref.name, ref.key)}"
        raise no_secret(place, advice, field="spec.secretRef")
    token = one_word(values.get(ref.key, ""))
    if not token:
        raise no_value(place, ref.key, "put the licence there", field="spec.secretRef")
    try:
        return Declared(token, read_claims(token))
    except ValueError as error:
        raise stalled(
            Reason.INVALID_LICENSE,
            f"spec.secretRef: {place}, key {ref.key}: {error}; put the licence there as Coder sent it",
        ) from None


def shared(context: Context) -> Snapshot[dict[str, records.License]]:
    """All licences, by their number."""

    async def load() -> dict[str, records.License]:
        return {str(item.id): item for item in await context.client.licenses.list()}

    return context.directory.shared("licenses", load)


async def list_licenses(context: Context, *, fresh: bool) -> tuple[records.License, ...]:
    return tuple((await read(shared(context), fresh=fresh)).values())


def belongs(item: records.License, recorded_id: str | None, owned: Sequence[str]) -> bool:
    return str(item.id) == recorded_id or fingerprint(item.claims) in owned
