"""What licences allow, computed from their claims and from what else counts. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from coder_enterprise.server.services.license_cover import counts, endings, given, is_paid
from coder_enterprise.server.services.license_tokens import Claims
from coder_enterprise.wire import entitlements as wire
from coder_enterprise.wire.entitlements import LIMITS, Entitlement, Feature, SDKFeatureState

ALWAYS_ON: Final = frozenset(
    {
        Feature.USER_LIMIT,
        Feature.AUDIT_LOG,
        Feature.TEMPLATE_RBAC,
        Feature.USER_ROLE_MANAGEMENT,
        Feature.HIGH_AVAILABILITY,
        Feature.MULTIPLE_EXTERNAL_AUTH,
        Feature.EXTERNAL_PROVISIONER_DAEMONS,
        Feature.APPEARANCE,
        Feature.ADVANCED_TEMPLATE_SCHEDULING,
        Feature.WORKSPACE_PROXY,
        Feature.WORKSPACE_BATCH_ACTIONS,
        Feature.ACCESS_CONTROL,
        Feature.CONTROL_SHARED_PORTS,
    }
)
"""Features that need a licence and no setting. What this server does not have is in no list, and never enabled."""
_NO_WARNING: Final = frozenset(
    {
        Feature.USER_LIMIT,
        Feature.HIGH_AVAILABILITY,
        Feature.MULTIPLE_EXTERNAL_AUTH,
        Feature.APPEARANCE,
        Feature.WORKSPACE_BATCH_ACTIONS,
        Feature.CONTROL_SHARED_PORTS,
    }
)
"""Features that nobody misses until they are used, or that have warnings of their own."""
_States = Mapping[Feature, SDKFeatureState]
_RANK: Final[Mapping[Entitlement, int]] = {"not_entitled": 0, "grace_period": 1, "entitled": 2}


@dataclass(frozen=True)
class Circumstances:
    """What the entitlements depend on besides the licences."""

    now: datetime
    active_users: int = 0
    """Neither deleted, nor dormant, nor suspended."""
    configured: frozenset[Feature] = frozenset()
    """Features that the settings switch on; those of `ALWAYS_ON` need no setting."""
    replicas: int = 1
    """Servers that share the database."""
    errors: tuple[str, ...] = ()
    """What else to report."""


def compute(claims: Iterable[Claims], circumstances: Circumstances) -> wire.SDKEntitlements:
    """What licences with these claims allow. A licence counts from `nbf` until `exp`, the order does not matter.

    The rules are Coder 2.4's but for these, most of which are those of later versions:
    for each feature the best level wins and then the higher limit, also for `user_limit`; names that are not known
    are left out; it is a trial when every licence is one; the warning before the end looks at each feature, and at
    licences that follow without a gap; a licence that cannot be verified is named in `errors`; `high_availability`
    needs no setting; `external_token_encryption` is never on without a licence; and a licence that requires telemetry
    gives a warning that there is none, in place of an error that leaves everything as it was.
    """
    every = list(claims)
    current = [item for item in every if counts(item, circumstances.now)]
    states = {feature: _state(feature, current, circumstances) for feature in Feature}
    errors = [*circumstances.errors, *_errors(states, circumstances, licensed=bool(current))]
    autostop = states[Feature.TEMPLATE_AUTOSTOP_REQUIREMENT]
    if autostop.enabled and not states[Feature.ADVANCED_TEMPLATE_SCHEDULING].enabled:
        autostop.enabled = False
        errors.append(
            f"{Feature.TEMPLATE_AUTOSTOP_REQUIREMENT.label} is off: it needs a licence for "
            f"{Feature.ADVANCED_TEMPLATE_SCHEDULING.label} as well."
        )
    return wire.SDKEntitlements(
        features=states,
        warnings=list(_warnings(states, every, current, circumstances)),
        errors=errors,
        has_license=bool(current),
        trial=bool(current) and all(item.trial for item in current),
        require_telemetry=any(item.require_telemetry for item in current),
        refreshed_at=circumstances.now,
    )


def next_change(claims: Iterable[Claims], now: datetime) -> datetime | None:
    """When a licence next begins, enters its grace period, or ends."""
    moments = [moment for item in claims for moment in (item.nbf, item.license_expires, item.exp) if moment]
    return min((moment for moment in moments if moment > now), default=None)


def _level(claims: Claims, now: datetime) -> Entitlement:
    return "entitled" if is_paid(claims, now) else "grace_period"


def _state(feature: Feature, current: Sequence[Claims], circumstances: Circumstances) -> SDKFeatureState:
    offers = [(_level(item, circumstances.now), value) for item in current if (value := given(item, feature)) > 0]
    level, value = max(offers, key=lambda offer: (_RANK[offer[0]], offer[1]), default=("not_entitled", 0))
    return SDKFeatureState(
        entitlement=level,
        enabled=level != "not_entitled" and feature in ALWAYS_ON | circumstances.configured,
        limit=value if feature in LIMITS and value else None,
        actual=circumstances.active_users if feature is Feature.USER_LIMIT else None,
    )


def _errors(states: _States, circumstances: Circumstances, *, licensed: bool) -> Iterator[str]:
    if circumstances.replicas > 1 and states[Feature.HIGH_AVAILABILITY].entitlement == "not_entitled":
        cause = "no licence has high_availability" if licensed else "there is no licence"
        yield f"{circumstances.replicas} replicas run, but {cause}: add a licence that has it, or run one replica."


def _warnings(
    states: _States,
    every: Sequence[Claims],
    current: Sequence[Claims],
    circumstances: Circumstances,
) -> Iterator[str]:
    if not current:
        return
    yield from endings(every, circumstances.now)
    yield from _too_many_users(states[Feature.USER_LIMIT])
    for feature in sorted((ALWAYS_ON | circumstances.configured) - _NO_WARNING):
        yield from _missing(feature, states[feature].entitlement)
    if circumstances.replicas > 1 and states[Feature.HIGH_AVAILABILITY].entitlement == "grace_period":
        yield from _missing(Feature.HIGH_AVAILABILITY, "grace_period")
    if any(item.require_telemetry for item in current):
        yield "A licence requires telemetry, but this server has none: nothing is sent."


def _missing(feature: Feature, level: Entitlement) -> Iterator[str]:
    if level == "not_entitled":
        yield f"{feature.label} is off: no licence has {feature}."
    elif level == "grace_period":
        yield f"The licence for {feature.label} has expired; it works until the grace period ends."


def _too_many_users(state: SDKFeatureState) -> Iterator[str]:
    if state.limit is not None and state.actual is not None and state.actual > state.limit:
        yield f"There are {state.actual} active users, but licences for {state.limit}."
