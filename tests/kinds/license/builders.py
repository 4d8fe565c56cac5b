"""Licences as a Secret holds them and as Coder has them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.http import Call, CallHooks
from coder_enterprise.kinds.license import LicenseKind, LicenseSpec
from coder_enterprise.kinds.license.find import Declared, ObservedLicense
from coder_enterprise.kinds.machinery.resource import Resource

KIND: Final = LicenseKind()
NOW: Final = datetime(2027, 3, 1, 12, tzinfo=UTC)
UUID: Final = "7c1e0000-0000-4000-8000-000000000000"
Body = dict[str, Any]


def claims(**values: Any) -> Body:
    """A year from NOW, and a month of grace."""
    start = int(NOW.timestamp())
    every = {
        "version": 3,
        "jti": UUID,
        "license_expires": start + 365 * 86_400,
        "exp": start + 395 * 86_400,
        "all_features": True,
        "features": {"user_limit": 1000, "scim": 0},
    }
    return {name: value for name, value in (every | values).items() if value is not None}


def in_days(days: float) -> float:
    return NOW.timestamp() + days * 86_400


def token(payload: Any, header: Any = None) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header or {'alg': 'EdDSA'})}.{part(payload)}.c2lnbmVk"


def license_(number: int, **values: Any) -> records.License:
    found = claims(**values)
    return records.License(id=number, uuid=str(found.get("jti", "")), claims=found)


def spec(**fields: Any) -> LicenseSpec:
    return LicenseSpec.model_validate({"secretRef": {"name": "licence"}, **fields})


def observed(
    declared: Body, current: records.License | None = None, *others: records.License, **fields: Any
) -> ObservedLicense:
    seen = ObservedLicense(
        external_id=str(current.id) if current else None,
        fresh=True,
        declared=Declared("token", declared),
        current=current,
        others=others,
        now=NOW,
    )
    return replace(seen, **fields)


def plan(desired: LicenseSpec, seen: ObservedLicense, **recorded: Any) -> list[str]:
    return [str(change) for change in KIND.plan(desired, seen, recorded)]


class Killed(BaseException):
    """The process ends here."""


class Points(CallHooks):
    """Ends the process before or after one of its requests."""

    def __init__(self) -> None:
        self.kill_at: int | None = None
        self.passed = 0

    def reach(self) -> None:
        self.passed += 1
        if self.kill_at == self.passed - 1:
            raise Killed

    @override
    async def before(self, call: Call) -> None:
        self.reach()

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        self.reach()


def resource(status: Body | None = None, *, deleting: bool = False, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "licence", "uid": "u1", "resourceVersion": "1"}
    if deleting:
        metadata["deletionTimestamp"] = "2027-01-01T00:00:00Z"
    return Resource.from_body("CoderLicense", {"metadata": metadata, "spec": declared, "status": status or {}})
