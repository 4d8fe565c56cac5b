"""Until when the licences of a deployment cover what they cover now: called by the probe of a CoderDeployment.

The latest end of all licences would say nothing: there may be a gap before the last one, and an add-on for one feature
does not keep the others. Grace periods are no cover; they are there to be noticed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from coder_enterprise.kinds.machinery.moments import numeric_date
from coder_enterprise.wire.entitlements import LIMITS
from coder_enterprise.wire.license_terms import last_until

ALL: Final = "all features"
"""In place of the name of a feature."""
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What one licence gives, and when."""

    begins: datetime
    expires: datetime
    ends: datetime
    """Its grace period included."""
    features: frozenset[str]

    def has(self, feature: str) -> bool:
        return feature in self.features or (ALL in self.features and feature not in LIMITS)


def cover_ends(licenses: Iterable[Mapping[str, Any]], now: datetime) -> datetime | None:
    """When the first of the features that the licences with these claims give now is not given any more, licences that
    follow without a gap counted. None when nobody can tell."""
    offers = [offer for claims in licenses if (offer := _offer(claims)) is not None]
    current = [offer for offer in offers if offer.begins <= now < offer.ends]
    if not current:
        return max((offer.expires for offer in offers), default=None)
    features = frozenset[str]().union(*(offer.features for offer in current))
    return min(_end(feature, offers, now) for feature in features)


def _end(feature: str, offers: Sequence[_Offer], now: datetime) -> datetime:
    having = [offer for offer in offers if offer.has(feature)]
    end = max(offer.expires for offer in having if offer.begins <= now)
    return end if end < now else last_until(((offer.begins, offer.expires) for offer in having), now)


def _offer(claims: Mapping[str, Any]) -> _Offer | None:
    expires = numeric_date(claims.get("license_expires"))
    if expires is None:
        return None
    begins, ends = numeric_date(claims.get("nbf")), numeric_date(claims.get("exp"))
    return _Offer(begins or _ALWAYS, expires, ends or expires, _features(claims))


def _features(claims: Mapping[str, Any]) -> frozenset[str]:
    listed = claims.get("features")
    pairs = listed.items() if isinstance(listed, dict) else ()
    found = {name for name, value in pairs if isinstance(value, (int, float)) and value > 0}
    if claims.get("all_features") is True or claims.get("feature_set") or not found:
        found.add(ALL)
    return frozenset(found)
