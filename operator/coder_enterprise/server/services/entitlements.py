"""What the licences allow: computed as a whole by `compute`, and asked by every service whose feature Coder licenses.

`Entitlements` keeps the last result, because it is asked at every request; `workers.entitlements` and the services
that change licences or users have it computed anew. Licences are read in `license_tokens` and kept by `licenses`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from coder_enterprise.server.errors import Forbidden, TooSoon
from coder_enterprise.server.services import session_tokens
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlement_rules import Circumstances, compute, next_change
from coder_enterprise.server.services.license_cover import paid_until
from coder_enterprise.server.services.license_tokens import Claims, InvalidLicense, read
from coder_enterprise.server.storage import licenses, users
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.wire import entitlements as wire
from coder_enterprise.wire.entitlements import Feature

__all__ = ["Entitlements", "Feature"]

REFRESH_AGAIN_AFTER: Final = timedelta(minutes=1)
CHANGES: Final = "licenses"
"""The channel on which replicas tell each other that a licence has changed."""


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
        for channel in (CHANGES, session_tokens.CHANGES, session_tokens.ACTIVATIONS):
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
