"""How long what the licences give will last, feature by feature: what `entitlements` warns of before it ends.

A feature is covered for as long as licences that give it follow each other without a gap. Licences that give other
things prolong nothing of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from coder_enterprise.server.services.license_tokens import Claims
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.wire.entitlements import LIMITS, Feature
from coder_enterprise.wire.license_terms import last_until

WARN_BEFORE: Final = timedelta(days=30)
WARN_BEFORE_TRIAL: Final = timedelta(days=7)
FEW: Final = 3
"""Features that a warning names as those that stay."""


def given(claims: Claims, feature: Feature) -> int:
    """What the licence gives of it: 0 is nothing. A licence for all features says nothing about limits."""
    return max(claims.features.get(feature, 0), int(claims.has_all_features and feature not in LIMITS))


def counts(claims: Claims, now: datetime) -> bool:
    return (claims.nbf is None or claims.nbf <= now) and now < claims.exp


def is_paid(claims: Claims, now: datetime) -> bool:
    """Of a licence that counts: not in its grace period."""
    return now < _paid_until(claims)


def paid_until(every: Sequence[Claims], now: datetime) -> datetime | None:
    """When the first of what licences give now enters its grace period; `now` or before where one is in it, None
    without a licence that gives anything."""
    features = [item for item in Feature if any(given(claims, item) > 0 for claims in every if counts(claims, now))]
    ends = [_until([claims for claims in every if given(claims, item) > 0], now, _paid_until) for item in features]
    return min(ends, default=None)


def endings(every: Sequence[Claims], now: datetime) -> Iterator[str]:
    """A warning for each end that comes soon, with what ends then."""
    features = [item for item in Feature if any(given(claims, item) > 0 for claims in every if counts(claims, now))]
    ending: dict[tuple[str, int], list[Feature]] = defaultdict(list)
    for feature in features:
        found = _end([claims for claims in every if given(claims, feature) > 0], now)
        if found is not None:
            ending[found].append(feature)
    whole = None if features else _end(every, now)
    if whole is not None:
        yield _sentence(*whole, "")
    for (what, days), ended in sorted(ending.items()):
        stay = [feature for feature in features if feature not in ended]
        lasting = not any(feature in others for others in ending.values() for feature in stay)
        yield _sentence(what, days, _named(ended, stay, lasting=lasting))


def _end(licences: Sequence[Claims], now: datetime) -> tuple[str, int] | None:
    """What ends soon, the term or its grace period, and in how many days; None while neither does."""
    current = [claims for claims in licences if counts(claims, now)]
    if not current:
        return None
    paid = any(is_paid(claims, now) for claims in current)
    left = _until(licences, now, _paid_until if paid else lambda claims: claims.exp) - now
    if left >= (WARN_BEFORE_TRIAL if all(claims.trial for claims in current) else WARN_BEFORE):
        return None
    return ("licence" if paid else "grace period of the licence"), math.ceil(left / timedelta(days=1))


def _until(licences: Iterable[Claims], now: datetime, end_of: Callable[[Claims], datetime]) -> datetime:
    return last_until(((claims.nbf or NEVER, end_of(claims)) for claims in licences), now)


def _paid_until(claims: Claims) -> datetime:
    return min(claims.license_expires, claims.exp)


def _named(ended: Sequence[Feature], stay: Sequence[Feature], *, lasting: bool) -> str:
    """ "" is everything; `lasting` is whether nothing else ends soon."""
    if not stay:
        return ""
    if lasting and len(stay) <= min(FEW, len(ended) - 1):
        return f" for everything but {', '.join(feature.label for feature in stay)}"
    return f" for {', '.join(feature.label for feature in ended)}"


def _sentence(what: str, days: int, features: str) -> str:
    verb = "expires" if what == "licence" else "ends"
    return f"The {what}{features} {verb} in {days} {'day' if days == 1 else 'days'}."
