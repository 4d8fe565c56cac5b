"""What a CoderLicense declares, and what its status says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from coder_enterprise.kinds.machinery.common import ManagedSpec, ManagedStatus, SecretKey, SecretRef
from coder_enterprise.kinds.machinery.schema import ListSet

MAX_UUID: Final = 64
MAX_FEATURES: Final = 128
MAX_FEATURE: Final = 128
MAX_OWNED: Final = 16


class LicenseSecretRef(SecretRef):
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
