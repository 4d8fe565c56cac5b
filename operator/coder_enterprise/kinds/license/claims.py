"""What a licence claims: its fingerprint, its features, its name. Nothing of it is verified here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from coder_enterprise.kinds.license.spec import MAX_FEATURE, MAX_FEATURES, MAX_UUID
from coder_enterprise.kinds.machinery.moments import DAY, days_left, numeric_date, timestamp

MAX_INT64: Final = 2**63 - 1

Claims = Mapping[str, Any]


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
        return days_left(self.expires, now)

    def next_change(self, now: datetime) -> datetime | None:
        """The next moment at which something of this is different."""
        days = self.days_left(now)
        moments = [self.begins, self.ends, self.expires - (days - 1) * DAY if days else None]
        return min((moment for moment in moments if moment and moment > now), default=None)


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
    missing = [name for name in ("license_expires", "exp") if numeric_date(claims.get(name)) is None]
    if missing:
        raise ValueError(f"it is a JWT, but no licence: it lacks the claim {missing[0]}, a moment in seconds")
    return claims


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
    expires, ends = numeric_date(claims.get("license_expires")), numeric_date(claims.get("exp"))
    if expires is None or ends is None:
        return None
    return Term(numeric_date(claims.get("nbf")), expires, ends, claims.get("trial") is True)


def features(claims: Claims) -> dict[str, int]:
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


def label(claims: Claims) -> str:
    """For people: the licence's own id, and until when it is valid."""
    name = claims.get("jti")
    term = term_of(claims)
    shown = name[:MAX_UUID] if isinstance(name, str) and name else "without an id"
    return f"licence {shown}" + (f", valid until {timestamp(term.expires)}" if term else "")
