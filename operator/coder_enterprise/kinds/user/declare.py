"""The people whom Coder has, as specs of CoderUsers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coder_enterprise.client import errors, records
from coder_enterprise.client.concurrency import each
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.declarations import Declaration, organization_of, without_blanks
from coder_enterprise.kinds.user.differences import is_daily
from coder_enterprise.kinds.user.spec import LoginType, State

AT_A_TIME: Final = 16
QUIET_HOURS: Final = "advanced_template_scheduling"
"""The feature that they need."""


async def user_declarations(context: Context) -> list[Declaration]:
    """All but the one whose token is used: an operator that suspends itself could not undo it."""
    me = await context.client.users.me()
    organizations = {item.id: item for item in await context.directory.organizations()}
    index = await context.directory.users.get()
    people = [user for user in index.by_id.values() if user.id != me.id and user.email]
    hours = await _chosen_hours(context, [user.id for user in people])
    return [_declaration(user, organizations, hours.get(user.id, "")) for user in people]


async def _chosen_hours(context: Context, ids: Sequence[str]) -> dict[str, str]:
    """Schedules of those who have their own, by id: Coder has no list of them."""
    found: dict[str, str] = {}
    if not await _may_have_hours(context):
        return found

    async def ask(user_id: str) -> None:
        try:
            hours = await context.client.quiet_hours.get(user_id)
        except (errors.Forbidden, errors.NotFound, errors.BadRequest):
            return  # of somebody who is gone, or whom the token may not see
        if hours.user_set:
            found[user_id] = hours.raw_schedule

    await each(ids, ask, AT_A_TIME)
    return found


async def _may_have_hours(context: Context) -> bool:
    try:
        feature = (await context.client.server.entitlements()).features.get(QUIET_HOURS)
    except errors.NotFound:  # the open-source build
        return False
    return feature is not None and feature.enabled


def _declaration(user: records.User, organizations: dict[str, records.Organization], schedule: str) -> Declaration:
    declarable = user.login_type in set(LoginType)
    homes = [organizations[item] for item in user.organization_ids if item in organizations]
    home = None if not homes or any(item.is_default for item in homes) else min(homes, key=lambda item: item.name)
    spec = {
        "username": user.username,
        "email": user.email,
        "name": user.name,
        "loginType": user.login_type if declarable else None,
        "organization": organization_of(False, home.name) if home else None,
        "state": str(State.SUSPENDED) if user.is_suspended else None,
        "roles": sorted(user.site_roles),
        "quietHours": {"schedule": schedule} if is_daily(schedule) else None,
    }
    notes = [] if declarable or not user.login_type else [f"logs in by {user.login_type}, which cannot be declared"]
    if schedule and not is_daily(schedule):
        notes.append(f"has quiet hours that cannot be declared: {schedule}")
    return Declaration(user.id, user.username, without_blanks(spec), "username", notes=tuple(notes))
