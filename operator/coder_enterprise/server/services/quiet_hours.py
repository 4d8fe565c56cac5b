"""When a user's quiet hours start each day: the user's own schedule, or the deployment's."""

from __future__ import annotations

from typing import Final

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor
from coder_enterprise.server.errors import Forbidden, NotFound, invalid
from coder_enterprise.server.services import audit, references, schedules
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.schedules import Schedule, ScheduleError
from coder_enterprise.server.settings import SettingsError
from coder_enterprise.server.storage import quiet_hours
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.quiet_hours import SDKQuietHours, UpdateQuietHoursRequest

MIDNIGHT: Final = "CRON_TZ=UTC 0 0 * * *"
"""Coder's own, when the deployment sets none."""


class QuietHours:
    """With `custom` false, everybody has the deployment's schedule, whatever was set before."""

    def __init__(self, database: Database, entitlements: Entitlements, default: Schedule, *, custom: bool) -> None:
        self._database = database
        self._entitlements = entitlements
        self._default = default
        self._custom = custom

    async def get(self, actor: Actor, reference: str) -> SDKQuietHours:
        """Raises `BadRequest` when there is no such user."""
        self._entitlements.require(Feature.ADVANCED_TEMPLATE_SCHEDULING)

        def work(connection: Connection) -> SDKQuietHours:
            return self._of(connection, references.user(connection, actor, reference))

        return await self._database.read(work)

    async def put(self, actor: Actor, reference: str, request: UpdateQuietHoursRequest) -> SDKQuietHours:
        """Raises `Forbidden`, `NotFound` for a deleted user, `BadRequest` for an unknown one or for the schedule."""
        self._entitlements.require(Feature.ADVANCED_TEMPLATE_SCHEDULING)

        def work(connection: Connection, actor: Actor) -> SDKQuietHours:
            user = references.user(connection, actor, reference)
            access.require(actor, Action.UPDATE, references.person(user))
            if not self._custom:
                raise Forbidden(
                    "Users cannot set their own quiet hours schedule.",
                    "CODER_ALLOW_CUSTOM_QUIET_HOURS is false on this deployment.",
                )
            if user.deleted:
                raise NotFound
            _set(connection, actor, user, _parse(request.schedule))
            return self._of(connection, user)

        return await self._database.write_as(actor, work)

    def _of(self, connection: Connection, user: User) -> SDKQuietHours:
        own = quiet_hours.get(connection, user.id) if self._custom else None
        schedule = schedules.parse(own) if own else self._default
        return SDKQuietHours(
            raw_schedule=schedule.raw,
            user_set=own is not None,
            time=schedule.time,
            timezone=schedule.zone,
            next=schedule.next(now()),
            user_can_set=self._custom,
        )


def default_schedule(text: str) -> Schedule:
    """Of the deployment; "" is midnight in UTC. Raises `SettingsError`."""
    try:
        return schedules.parse(text.strip() or MIDNIGHT)
    except ScheduleError as error:
        raise SettingsError(f"CODER_QUIET_HOURS_DEFAULT_SCHEDULE: {error}") from None


def _parse(text: str) -> Schedule | None:
    """None for a blank one, which is the deployment's."""
    if not text.strip():
        return None
    try:
        return schedules.parse(text)
    except ScheduleError as error:
        raise invalid(schedule=str(error)) from None


def _set(connection: Connection, actor: Actor, user: User, schedule: Schedule | None) -> None:
    before, after = quiet_hours.get(connection, user.id), schedule.raw if schedule else None
    if before == after:
        return
    quiet_hours.put(connection, user.id, after)
    audit.record(
        connection,
        actor.id,
        "write",
        ("user", user.id, user.username),
        before={"quiet_hours_schedule": before or ""},
        after={"quiet_hours_schedule": after or ""},
    )
