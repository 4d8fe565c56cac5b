"""What the licences allow: computed as a whole by `compute`, and asked by every service whose feature Coder licenses.

`Entitlements` keeps the last result, because it is asked at every request; `workers.entitlements` and the services
that change licences or users have it computed anew. Licences are read in `license_tokens` and kept by `licenses`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from coder_enterprise.server.errors import Forbidden, TooSoon
from coder_enterprise.server.services import sessions
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.license_cover import counts, endings, given, is_paid, paid_until
from coder_enterprise.server.services.license_tokens import Claims, InvalidLicense, read
from coder_enterprise.server.storage import licenses, users
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.wire import entitlements as wire
from coder_enterprise.wire.entitlements import LIMITS, Entitlement, Feature, SDKFeatureState

__all__ = ["ALWAYS_ON", "Circumstances", "Entitlements", "Feature", "compute", "next_change"]

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
REFRESH_AGAIN_AFTER: Final = timedelta(minutes=1)
CHANGES: Final = "licenses"
"""The channel on which replicas tell each other that a licence has changed."""

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


@dataclass(frozen=True)
class _Result:
    entitlements: wire.SDKEntitlements
    next_change: datetime | None
    paid_until: datetime | None = None


class Entitlements:
    """The last result. Until the first `refresh`, and whenever there is no licence, every feature is off.

    `keys` are the raw public keys that licences may be signed with, by name.
    """

    def __init__(
        self,
        database: Database,
        keys: Mapping[str, bytes],
        deployment_id: UUID,
        configured: frozenset[Feature] = frozenset(),
    ) -> None:
        self.keys = keys
        self.deployment_id = deployment_id
        self._replicas = 1
        self._database = database
        self._configured = configured
        self._result = _Result(compute([], Circumstances(NEVER, configured=configured)), next_change=None)
        self._refreshing = asyncio.Lock()
        self._stale = False
        self._wake = asyncio.Event()
        for channel in (CHANGES, sessions.CHANGES, sessions.ACTIVATIONS):
            database.notifications.subscribe(channel, lambda _: self.invalidate())

    @property
    def current(self) -> wire.SDKEntitlements:
        return self._result.entitlements

    @property
    def paid_until(self) -> datetime | None:
        """As `license_cover.paid_until`."""
        return self._result.paid_until

    def enabled(self, feature: Feature) -> bool:
        return self.current.features[feature].enabled

    def require(self, feature: Feature) -> None:
        """Raises `Forbidden` when no licence enables the feature."""
        state = self.current.features[feature]
        if state.enabled:
            return
        raise Forbidden(
            f"{feature.label} is a licensed feature that is not available here ({feature}).",
            f"Add a licence that has {feature}."
            if state.entitlement == "not_entitled"
            else f"A licence has {feature}, but the server's settings do not switch it on.",
        )

    async def refresh(self) -> None:
        """Compute the entitlements anew."""
        async with self._refreshing:  # or an older result could replace a newer one
            self._stale = False
            try:
                self._result = await self._database.read(self._compute)
            except BaseException:
                self._stale = True
                raise
            finally:
                self._wake.set()

    async def refresh_on_demand(self) -> None:
        """Raises `TooSoon` when they were computed within the last minute."""
        wait = self.current.refreshed_at + REFRESH_AGAIN_AFTER - now()
        if wait > timedelta(0):
            raise TooSoon(
                "The entitlements were refreshed within the last minute.", retry_after=math.ceil(wait.total_seconds())
            )
        await self.refresh()

    def invalidate(self) -> None:
        """What they depend on has changed; they are computed anew in the background, soon and once for many changes."""
        self._stale = True
        self._wake.set()

    def count_replicas(self, count: int) -> None:
        """How many servers share the database now."""
        if count != self._replicas:
            self._replicas = count
            self.invalidate()

    async def tell_replicas(self) -> None:
        """That a licence has changed, and has been committed."""
        await self._database.notifications.publish(CHANGES)

    async def until_due(self, interval: timedelta) -> None:
        """Until they are invalid, or a licence begins or ends or enters its grace period, or `interval` is over."""
        while not self._stale:
            due = self.current.refreshed_at + interval
            if self._result.next_change is not None:
                due = min(due, self._result.next_change)
            delay = min(due - now(), interval)  # a clock that was set back keeps nobody waiting
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), max(delay.total_seconds(), 0))
            except TimeoutError:
                return

    def _compute(self, connection: Connection) -> _Result:
        moment = now()
        stored = _Stored()
        for row in licenses.not_expired(connection, moment):
            stored.take(row, self.keys, self.deployment_id)
        circumstances = Circumstances(
            now=moment,
            active_users=users.count(connection, users.Filter(statuses=("active",))),
            configured=self._configured,
            replicas=self._replicas,
            errors=tuple(stored.errors),
        )
        return _Result(
            compute(stored.claims, circumstances),
            next_change(stored.claims, moment),
            paid_until(stored.claims, moment),
        )


@dataclass
class _Stored:
    """Licences of the database: verified again, because a key may be trusted no more."""

    claims: list[Claims] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def take(self, row: licenses.License, keys: Mapping[str, bytes], deployment_id: UUID) -> None:
        try:
            claims = read(row.token, keys)
            if not claims.is_for(deployment_id):
                raise InvalidLicense("is for other deployments (claim deployment_ids)")
        except InvalidLicense as error:
            self.errors.append(f"Licence {row.uuid} does not count: it {error}.")
        else:
            self.claims.append(claims)
