"""What is done about a user in Coder: the creation, and a step for each part that may change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from coder_enterprise.client import errors, records
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.lookups import just_made
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.user.details import with_details
from coder_enterprise.kinds.user.differences import NAME, ROLES, SCHEDULE, STATE, USERNAME
from coder_enterprise.kinds.user.find import ObservedUser, existing, is_called
from coder_enterprise.kinds.user.passwords import first_password
from coder_enterprise.kinds.user.spec import LoginType, State, UserSpec, Via
from coder_enterprise.wire.users import CreateUserRequest, UpdateProfileRequest, UpdateRolesRequest


async def create(context: Context, desired: UserSpec, observed: ObservedUser) -> ObservedUser:
    if observed.rival is not None:
        owner = observed.rival.email or "somebody without an e-mail"
        raise stalled(
            Reason.ALREADY_EXISTS,
            f"the username {observed.username} belongs to {owner} ({observed.rival.id}), who is not {desired.email}; "
            "choose another spec.username",
        )
    make = _create_by_scim if desired.via is Via.SCIM else _create_by_api
    user = await make(context, desired, observed)
    context.directory.put_user(user)
    return await with_details(context, desired, replace(observed, user=user, external_id=user.id))


async def _create_by_api(context: Context, desired: UserSpec, observed: ObservedUser) -> records.User:
    password = await first_password(context, observed.resource, desired)
    request = CreateUserRequest(
        email=desired.email,
        username=observed.username,
        login_type=desired.login_type or LoginType.OIDC,
        organization_id=observed.organization_id,
        **({} if desired.name is None else {"name": desired.name}),
        **({} if password is None else {"password": password}),
    )
    try:
        user = await context.client.users.create(request)
    except errors.AlreadyTaken as error:
        raise just_made(f"a user {observed.username} or {desired.email}", error) from None
    return _named(user, desired.name)


async def _create_by_scim(context: Context, desired: UserSpec, observed: ObservedUser) -> records.User:
    _require_scim(context)
    active = desired.state is not State.SUSPENDED
    made = await context.client.scim.create(observed.username, desired.email, desired.name or "", active=active)
    user = await context.client.users.get(made.id)
    if not is_called(user.email, desired.email):
        # It answers with whoever has the username.
        raise stalled(
            Reason.ALREADY_EXISTS, f"the username {observed.username} was just taken by {user.email} ({user.id})"
        )
    return user


async def _set_profile(
    context: Context, desired: UserSpec, observed: ObservedUser, changes: Sequence[Change]
) -> ObservedUser:
    user, named = existing(observed), {change.path: change.after for change in changes}
    name = desired.name if NAME in named else user.name
    username = desired.username if USERNAME in named and desired.username else user.username
    request = UpdateProfileRequest(username=username, **({} if name is None else {"name": name}))
    return _updated(context, observed, _named(await context.client.users.set_profile(user.id, request), name))


async def _set_roles(
    context: Context, desired: UserSpec, observed: ObservedUser, changes: Sequence[Change]
) -> ObservedUser:
    user = existing(observed)
    given = {change.subject for change in changes if change.path == ROLES and change.action is Action.ADD}
    taken = {change.subject for change in changes if change.path == ROLES and change.action is Action.REMOVE}
    request = UpdateRolesRequest(roles=sorted((user.site_roles | given) - taken))
    return _updated(context, observed, await context.client.users.set_roles(user.id, request))


async def _set_state(
    context: Context, desired: UserSpec, observed: ObservedUser, changes: Sequence[Change]
) -> ObservedUser:
    active = desired.state is not State.SUSPENDED
    return _updated(context, observed, await set_active(context, existing(observed).id, active, desired.via))


async def _set_quiet_hours(
    context: Context, desired: UserSpec, observed: ObservedUser, changes: Sequence[Change]
) -> ObservedUser:
    if desired.quiet_hours is None or observed.trouble is not None:
        return observed  # what was found when they were read
    schedule = " ".join(desired.quiet_hours.schedule.split())
    hours = await context.client.quiet_hours.set(existing(observed).id, schedule)
    return replace(observed, quiet_hours=hours)


_Step = Callable[[Context, UserSpec, ObservedUser, Sequence[Change]], Awaitable[ObservedUser]]
STEPS: Final[Mapping[str, _Step]] = {
    USERNAME: _set_profile,
    NAME: _set_profile,
    # Coder suspends no owner, so roles come first.
    ROLES: _set_roles,
    STATE: _set_state,
    SCHEDULE: _set_quiet_hours,
}


async def set_active(context: Context, user_id: str, active: bool, via: Via) -> records.User:
    if via is Via.SCIM:
        _require_scim(context)
        await context.client.scim.set_active(user_id, active)
        user = await context.client.users.get(user_id)
    else:
        users = context.client.users
        user = await (users.activate(user_id) if active else users.suspend(user_id))
    context.directory.put_user(user)
    return user


def _require_scim(context: Context) -> None:
    if not context.client.settings.scim_key:
        raise stalled(
            Reason.SCIM_NOT_CONFIGURED,
            "spec.via is SCIM, but the CoderDeployment has no spec.scimSecretRef; name there the Secret with the "
            "server's CODER_SCIM_AUTH_HEADER, or set spec.via to API",
        )


def _named(user: records.User, name: str | None) -> records.User:
    """With the name that was sent, where the server does not repeat it."""
    return replace(user, name=name) if user.name is None else user


def _updated(context: Context, observed: ObservedUser, user: records.User) -> ObservedUser:
    known = existing(observed)
    context.directory.put_user(user)
    return replace(observed, user=_named(user, known.name))
