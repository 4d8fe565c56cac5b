"""What differs between a CoderUser and the user in Coder. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from coder_enterprise.client import records
from coder_enterprise.kinds.machinery.changes import Action, Change, named_by
from coder_enterprise.kinds.machinery.errors import KindError, stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.user.find import ObservedUser, is_called
from coder_enterprise.kinds.user.spec import LoginType, QuietHours, State, UserSpec

USERNAME: Final = "spec.username"
EMAIL: Final = "spec.email"
NAME: Final = "spec.name"
LOGIN_TYPE: Final = "spec.loginType"
ROLES: Final = "spec.roles"
STATE: Final = "spec.state"
SCHEDULE: Final = "spec.quietHours.schedule"
_FIXED: Final = frozenset({EMAIL, LOGIN_TYPE})
_OF_CREATION: Final = _FIXED | {USERNAME, NAME}


def newborn(desired: UserSpec, observed: ObservedUser) -> records.User:
    """As Coder makes a user."""
    return records.User(
        id="",
        username=observed.username,
        email=desired.email,
        name=desired.name,
        login_type=desired.login_type or LoginType.OIDC,
    )


def differences(desired: UserSpec, observed: ObservedUser, user: records.User) -> list[Change]:
    changes = []
    if not is_called(user.email, desired.email):
        changes.append(Change(Action.UPDATE, EMAIL, user.email, desired.email))
    if desired.login_type and user.login_type and user.login_type != desired.login_type:
        changes.append(Change(Action.UPDATE, LOGIN_TYPE, user.login_type, desired.login_type.value))
    if desired.username is not None and user.username != desired.username:
        changes.append(Change(Action.UPDATE, USERNAME, user.username, desired.username))
    if desired.name is not None and desired.name != (user.name or ""):
        changes.append(Change(Action.UPDATE, NAME, user.name, desired.name))
    if desired.roles is not None:
        wanted = frozenset(desired.roles)
        changes += [Change(Action.ADD, ROLES, after=role, subject=role) for role in sorted(wanted - user.site_roles)]
        surplus = sorted(user.site_roles - wanted)
        changes += [Change(Action.REMOVE, ROLES, before=role, subject=role) for role in surplus]
    state = State.ACTIVE if desired.state is None and observed.returned else desired.state
    if state is not None and user.is_suspended != (state is State.SUSPENDED):
        changes.append(Change(Action.UPDATE, STATE, user.status, state.value))
    hours = schedule_change(desired.quiet_hours, observed.quiet_hours)
    return [*changes, hours] if hours else changes


def still_to_do(plan: Sequence[Change], left: Sequence[Change]) -> list[Change]:
    """What is `left` after a creation, as far as the plan has named it. That the user has the declared names is part of
    the creation: some servers ignore the one, and SCIM may choose another for the other."""
    return [change for change in left if change.path in _OF_CREATION or change in named_by(plan, left)]


def schedule_change(desired: QuietHours | None, hours: records.QuietHours | None) -> Change | None:
    if desired is None:
        return None
    current = hours.raw_schedule if hours else None
    if current is not None and canonical(current) == canonical(desired.schedule):
        return None
    return Change(Action.UPDATE, SCHEDULE, current, desired.schedule)


_SCHEDULE_FORM: Final = re.compile(r"(?:CRON_TZ=(\S+) +)?([0-9]+) +([0-9]+) +\* +\* +\*")


def canonical(schedule: str) -> tuple[str, int, int] | str:
    """Zone, hour and minute, whichever way they are written; what is no daily schedule stays as it is."""
    match = _SCHEDULE_FORM.fullmatch(schedule.strip())
    return (match[1] or "UTC", int(match[3]), int(match[2])) if match else schedule


def is_daily(schedule: str) -> bool:
    """Whether spec could say it."""
    return _SCHEDULE_FORM.fullmatch(schedule.strip()) is not None


def what_cannot_change(changes: Sequence[Change]) -> KindError | None:
    fixed = [change for change in changes if change.path in _FIXED]
    if not fixed:
        return None
    differs = "; ".join(map(str, fixed))
    return stalled(
        Reason.CANNOT_CHANGE,
        f"{differs}: Coder cannot change that; delete the object with deletionPolicy Retain, and create it anew as the "
        "user is, with adoptionPolicy Adopt",
        fixed,
    )
