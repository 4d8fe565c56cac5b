"""CoderUser: a person in Coder: who it is, whether they may log in, and what they may do.

The rules of Coder behind it: a person is their e-mail, which Coder never changes, and neither the login type; whoever
is deleted lives on under their id, unmarked, but not under their name; dormant is how Coder calls active people whom it
has not seen for long, or never. Old servers answer 500 to what the token's user may not do, so that is tried again like
any 500, ever later.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field
from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.directory import DEFAULT_ORGANIZATION
from coder_enterprise.kinds.base import (
    Action,
    Change,
    Context,
    KindError,
    ManagedKind,
    Observation,
    stalled,
    waiting,
)
from coder_enterprise.kinds.common import (
    AGE_COLUMNS,
    READY_COLUMNS,
    STATUS_DEFAULT,
    ManagedSpec,
    ManagedStatus,
    Organization,
)
from coder_enterprise.kinds.consent import Demand
from coder_enterprise.kinds.crd import Column, custom_resource_definition
from coder_enterprise.kinds.lookups import find_organization, or_none
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Names, Resource
from coder_enterprise.kinds.schema import Cel, Immutable, KindModel, ListSet
from coder_enterprise.wire.users import CreateUserRequest, UpdateProfileRequest, UpdateRolesRequest

MAX_USERNAME: Final = 32
MAX_NAME: Final = 128
MAX_EMAIL: Final = 254
MAX_ROLES: Final = 32
MAX_SCHEDULE: Final = 96
SEES_EVERYBODY: Final = frozenset({"owner", "user-admin", "template-admin", "auditor"})
"""Site roles whose holders see all users: what they do not see is not there."""

RESERVED: Final = (
    *("me", "new", "create"),
    # Coder has pages of its own at /users/…, so that a user of such a name cannot be asked for.
    *("first", "login", "logout", "roles", "authmethods", "oauth2", "oidc", "otp", "validate-password"),
)

_RESERVED: Final = "[" + ", ".join(f"'{name}'" for name in RESERVED) + "]"
_UNCHANGED: Final = "cannot change: delete the object with deletionPolicy Retain, and create it anew"


class LoginType(StrEnum):
    OIDC = "oidc"
    GITHUB = "github"
    NONE = "none"


class State(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class Via(StrEnum):
    API = "API"
    SCIM = "SCIM"


class OnDelete(StrEnum):
    SUSPEND = "Suspend"
    DELETE = "Delete"


class QuietHours(KindModel):
    schedule: Annotated[
        str,
        Field(
            max_length=MAX_SCHEDULE,
            pattern=r"^(CRON_TZ=[A-Za-z0-9_+/-]+ +)?[0-5]?[0-9] +([01]?[0-9]|2[0-3]) +\* +\* +\*$",
        ),
        Cel(
            # An unknown zone ends the evaluation with an error that names it, which refuses the object too.
            "!self.startsWith('CRON_TZ=') || (!self.startsWith('CRON_TZ=Local ') && "
            "timestamp('2000-01-01T00:00:00Z').getHours(self.substring(8, self.indexOf(' '))) >= 0)",
            "the time zone must be an IANA name such as Europe/Berlin",
        ),
    ]
    """When quiet hours begin each day: CRON_TZ=Europe/Berlin 30 2 * * * is half past two in the morning there. Without
    CRON_TZ, in UTC."""


class UserSpec(ManagedSpec):
    username: (
        Annotated[str, Field(min_length=1, max_length=MAX_USERNAME, pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")] | None
    ) = None
    """Name in Coder; changing it renames the user. Left out, a new user gets the object's own name, and one who exists
    keeps what they have."""
    email: Annotated[
        str,
        Field(min_length=3, max_length=MAX_EMAIL, pattern=r"^[^@\t-\r ]+@[^@\t-\r ]+$"),
        Immutable(f"Coder never changes an e-mail, so email {_UNCHANGED}"),
    ]
    """Who it is: Coder knows people by their e-mail, and never changes it."""
    name: Annotated[str, Field(max_length=MAX_NAME, pattern=r"^([^\t-\r ](.*[^\t-\r ])?)?$")] | None = None
    """What people call the user; "" clears it. Not shown by Coder below 2.7, where it is only written."""
    login_type: Annotated[LoginType, Immutable(f"loginType {_UNCHANGED}")] | None = None
    """How the user logs in: oidc, github, or none for an account that only has tokens. Left out, a new user gets oidc,
    and one who exists keeps what they have. Users with passwords are made in Coder, and adopted without this field."""
    organization: Annotated[
        Organization,
        Immutable(f"organization {_UNCHANGED}"),
    ] = DEFAULT_ORGANIZATION
    """Name or id of the organization in which a new user is made. Default: default, which is the deployment's first
    one."""
    state: State | None = None
    """active, or suspended: the user cannot log in, and keeps all they have. Left out, a new user is active, and one
    who exists stays as they are; with active, whoever is suspended by hand in Coder is let in again."""
    roles: (
        Annotated[
            tuple[Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9]+([-_][A-Za-z0-9]+)*$")], ...],
            Field(max_length=MAX_ROLES),
            ListSet(),
            Cel("!('member' in self)", "every user is a member: leave member out"),
        ]
        | None
    ) = None
    """Roles in the whole deployment, such as user-admin: exactly these. Left out, roles are left alone."""
    quiet_hours: QuietHours | None = None
    """When workspaces may be stopped for maintenance. Left out, they are left alone. Needs a licence."""
    show_quota: bool = False
    """Read the user's workspace quota at each resync, and show it in status.quota: one request per user. Default:
    false."""
    via: Via = Via.API
    """How the user is made, suspended and let in again: API, or SCIM, as an identity provider does; all else goes
    through the API. SCIM needs spec.scimSecretRef of the CoderDeployment. Default: API."""
    on_delete: OnDelete = OnDelete.SUSPEND
    """What deletionPolicy Delete does to a person: Suspend them, or Delete them, which Coder refuses while they have
    workspaces. An object of the same name that comes back recognizes whom it suspended, and lets them in again.
    Default: Suspend."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            f"!has(self.username) || !(self.username in {_RESERVED})",
            "username is a word that Coder reserves, such as me, new or first",
            field_path=".username",
        ),
        Cel(
            "!has(self.username) || !self.username.matches('^[0-9A-Fa-f]{32}$')",
            "Coder would take this username for an id",
            field_path=".username",
        ),
        Cel(
            "!has(self.via) || self.via == 'API' || !has(self.loginType) || self.loginType == 'oidc'",
            "SCIM makes users with loginType oidc only",
            field_path=".loginType",
        ),
        Cel(
            "!has(self.via) || self.via == 'API' || !has(self.organization) || self.organization == 'default'",
            "SCIM makes users in the organization default only",
            field_path=".organization",
        ),
        *ManagedSpec.cel,
        Cel(
            "has(self.organization) == has(oldSelf.organization)",
            f"organization {_UNCHANGED}",
            field_path=".organization",
        ),
    )


class QuotaStatus(KindModel):
    budget: int | None = None
    """Credits per day; -1 is no limit."""
    consumed: int | None = None


class QuietHoursStatus(KindModel):
    schedule: Annotated[str, Field(max_length=MAX_SCHEDULE)] | None = None
    """As Coder writes it."""
    timezone: Annotated[str, Field(max_length=64)] | None = None


class UserStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=64)] | None = None
    """The user's id in Coder."""
    username: Annotated[str, Field(max_length=MAX_USERNAME)] | None = None
    """The user's name in Coder."""
    name: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    """What people call the user; as it was written last, where Coder does not show it."""
    status: Annotated[str, Field(max_length=32)] | None = None
    """active, dormant or suspended. Dormant users are active ones who were not seen for long, or never."""
    quota: QuotaStatus | None = None
    """With spec.showQuota. As of the last resync."""
    quiet_hours: QuietHoursStatus | None = None
    """With spec.quietHours. When they begin next follows from it, and is not here: it would change each day."""


@dataclass(frozen=True, kw_only=True)
class ObservedUser(Observation):
    username: str
    """As declared, or the object's own name, which counts only for a new user."""
    user: records.User | None
    returned: bool = False
    """An object of the same name had the user, and its deletion suspended them."""
    rival: records.User | None = None
    """Somebody else, with another e-mail, who has that username."""
    organization_id: str = ""
    """Where a user who does not exist is to be made."""
    quiet_hours: records.QuietHours | None = None
    quota: records.Quota | None = None


_USERNAME: Final = "spec.username"
_EMAIL: Final = "spec.email"
_NAME: Final = "spec.name"
_LOGIN_TYPE: Final = "spec.loginType"
_ROLES: Final = "spec.roles"
_STATE: Final = "spec.state"
_SCHEDULE: Final = "spec.quietHours.schedule"


class UserKind(ManagedKind[UserSpec, ObservedUser]):
    names = Names("CoderUser", "coderusers", "coderuser", "coderuser")
    things = "users"
    spec_model = UserSpec
    alters_people = True
    crd = custom_resource_definition(
        names=names,
        spec=UserSpec,
        status=UserStatus,
        status_default=dict(STATUS_DEFAULT),
        validations=(
            Cel(
                "has(self.spec.username) || (self.metadata.name.matches('^[a-z0-9]+(-[a-z0-9]+)*$') && "
                f"size(self.metadata.name) <= {MAX_USERNAME} && !self.metadata.name.matches('^[0-9a-f]{{32}}$') && "
                f"!(self.metadata.name in {_RESERVED}))",
                "metadata.name is not a valid username in Coder: set spec.username",
                field_path=".spec.username",
            ),
        ),
        description="A user of a Coder deployment: who it is, whether they may log in, and their roles.",
        columns=(
            *READY_COLUMNS,
            Column("External ID", ".status.id"),
            Column("Status", ".status.status"),
            Column("E-mail", ".spec.email", priority=1),
            Column("Budget", ".status.quota.budget", type="integer", priority=1),
            Column("Consumed", ".status.quota.consumed", type="integer", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def demand(self, spec: UserSpec, changes: Sequence[Change] = ()) -> Demand:
        touched = {change.subject for change in changes if change.path == _ROLES}
        roles = None if spec.roles is None else frozenset(spec.roles) | touched
        return Demand(self.names.kind, roles=roles)

    @override
    def external_name(self, resource: Resource, spec: UserSpec) -> str:
        return spec.email.lower()

    @override
    async def identity(self, context: Context, resource: Resource, spec: UserSpec) -> str:
        return self.external_name(resource, spec)

    @override
    async def observe(self, context: Context, resource: Resource, spec: UserSpec, *, fresh: bool) -> ObservedUser:
        username = spec.username or resource.key.name
        find = _read_user if fresh else _recall_user
        user, rival, proven = await find(context, spec.email, username, resource.external_id)
        left = context.cluster.left_behind(resource) if resource.external_id is None else None
        returned = user is not None and user.id == left
        observed = ObservedUser(
            external_id=user.id if user else None,
            fresh=proven,
            intended=returned,
            returned=returned,
            username=username,
            user=user,
            rival=rival,
            organization_id="" if user else (await find_organization(context, spec.organization)).id,
        )
        return await _with_details(context, spec, observed)

    @override
    def plan(self, desired: UserSpec, observed: ObservedUser, recorded: Mapping[str, Any]) -> list[Change]:
        user = observed.user
        if user is not None:
            name = recorded.get("name") if user.name is None else user.name
            return _differences(desired, observed, user.model_copy(update={"name": name}))
        changes = [Change(Action.CREATE, "spec", after=observed.username)]
        if observed.rival:
            owner = observed.rival.email or observed.rival.id
            changes.append(Change(Action.UPDATE, _USERNAME, f"belongs to {owner}", observed.username))
        return changes + _differences(desired, observed, _newborn(desired, observed))

    @override
    async def apply(
        self, context: Context, desired: UserSpec, observed: ObservedUser, changes: Sequence[Change]
    ) -> ObservedUser:
        if observed.user is None:
            observed = await _create(context, desired, observed)
            changes = self.plan(desired, observed, {})
        troubles: list[errors.OperatorError] = []
        paths = {change.path for change in changes}
        for step in dict.fromkeys(step for path, step in _STEPS.items() if path in paths):
            try:
                observed = await step(context, desired, observed)
            except (errors.APIError, KindError) as error:
                # Whoever is to be suspended is, though a role may be refused.
                troubles.append(error)
        troubles += filter(None, (observed.trouble, _what_cannot_change(changes)))
        return replace(observed, fresh=True, trouble=troubles[0] if troubles else None)

    @override
    def report(
        self, desired: UserSpec, observed: ObservedUser, changes: Sequence[Change], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        user, quota, hours = observed.user, observed.quota, observed.quiet_hours
        fields: dict[str, Any] = {
            "quota": {"budget": quota.budget, "consumed": quota.credits_consumed} if quota else None,
            "quietHours": _shown_hours(hours) if hours else None,
        }
        if user is None:
            return fields | {"id": None, "username": None, "name": None, "status": None}
        name = recorded.get("name") if user.name is None else user.name
        return fields | {
            "id": user.id,
            "username": user.username[:MAX_USERNAME],
            "name": name[:MAX_NAME] if name else None,
            "status": user.status[:32],
        }

    @override
    async def delete(self, context: Context, resource: Resource) -> str | None:
        user_id = resource.external_id
        if user_id is None:
            return None
        user = await _living(context, user_id)
        if user is None:
            await _require_sight(context, user_id)
        elif resource.spec.get("onDelete") != OnDelete.DELETE:
            if not user.is_suspended:
                await context.cluster.leave_behind(resource, user_id)
                await _set_active(context, user_id, False, Via(resource.spec.get("via", Via.API)))
            return f"{user.username} ({user_id}) is suspended in Coder; spec.onDelete Delete would have deleted them"
        else:
            await context.client.users.delete(user_id)
        context.directory.drop_user(user_id)
        return None


# What is there


_Found = tuple[records.User | None, records.User | None, bool]
"""The user; else who has the username; and whether that was read for this reconcile."""


async def _recall_user(context: Context, email: str, username: str, recorded_id: str | None) -> _Found:
    """From the shared list. That a person is not there needs no second look: Coder itself refuses who is."""
    index = await context.directory.users.get()
    if recorded_id is not None:
        return index.by_id.get(recorded_id), None, False
    user, named = index.find(email), index.find(username)
    if user is not None and _is_called(user.email, email):
        return user, None, False
    rival = named if named is not None and _is_called(named.username, username) else None
    return None, rival, rival is None


async def _read_user(context: Context, email: str, username: str, recorded_id: str | None) -> _Found:
    if recorded_id is not None:
        user = await _living(context, recorded_id)
        if user is not None:
            context.directory.put_user(user)
            return user, None, True
        context.directory.drop_user(recorded_id)
    named = await _user_or_none(context.client.users.get(username))
    if named is not None and _is_called(named.email, email):
        context.directory.put_user(named)
        return named, None, True
    index = await context.directory.users.get(newer_than=context.users_newer_than)
    listed = index.find(email)
    user = await _living(context, listed.id) if listed is not None else None
    if user is not None and _is_called(user.email, email):
        context.directory.put_user(user)
        return user, None, True
    return None, named, True


async def _living(context: Context, user_id: str) -> records.User | None:
    """None for whoever is deleted: an id still finds them, their username does not."""
    user = await _user_or_none(context.client.users.get(user_id))
    named = await _user_or_none(context.client.users.get(user.username)) if user is not None else None
    return named if named is not None and named.id == user_id else None


async def _user_or_none(call: Awaitable[records.User]) -> records.User | None:
    try:
        return await or_none(call)
    except errors.BadRequest:
        return None  # so Coder says that there is no such user


def _is_called(name: str, reference: str) -> bool:
    return name.lower() == reference.lower()


async def _with_details(context: Context, spec: UserSpec, observed: ObservedUser) -> ObservedUser:
    """What Coder tells of one user at a time, where spec speaks of it."""
    if observed.user is None:
        return observed
    user_id = observed.user.id
    if spec.show_quota:
        observed = replace(observed, quota=await _quota(context, user_id))
    if spec.quiet_hours is None:
        return observed
    try:
        hours = await context.client.quiet_hours.get(user_id)
    except (errors.Forbidden, errors.NotFound) as error:
        trouble = waiting(
            Reason.NOT_ENTITLED,
            f"spec.quietHours: quiet hours are not licensed, or switched off, on this deployment ({error.message})",
        )
        return replace(observed, trouble=trouble)
    observed = replace(observed, quiet_hours=hours)
    if hours.user_can_set or _differs(spec.quiet_hours, hours) is None:
        return observed
    trouble = stalled(
        Reason.FORBIDDEN,
        "spec.quietHours: users of this deployment have no quiet hours of their own; let the server have "
        "CODER_ALLOW_CUSTOM_QUIET_HOURS, or leave quietHours out",
    )
    return replace(observed, trouble=trouble)


async def _quota(context: Context, user_id: str) -> records.Quota | None:
    try:
        return await context.client.quotas.get(user_id)
    except (errors.Forbidden, errors.NotFound):
        return None


async def _require_sight(context: Context, user_id: str) -> None:
    """That somebody is not to be seen proves something only to those who see everybody."""
    me = await context.client.users.me()
    if not me.site_roles & SEES_EVERYBODY:
        raise stalled(
            Reason.FORBIDDEN,
            f"Coder shows no user {user_id}, but {me.username}, whose token it is, may not see all users; use the "
            "token of an owner or user-admin",
        )


# What differs


def _newborn(desired: UserSpec, observed: ObservedUser) -> records.User:
    """As Coder makes a user."""
    return records.User(
        id="",
        username=observed.username,
        email=desired.email,
        name=desired.name,
        login_type=desired.login_type or LoginType.OIDC,
    )


def _differences(desired: UserSpec, observed: ObservedUser, user: records.User) -> list[Change]:
    changes = []
    if not _is_called(user.email, desired.email):
        changes.append(Change(Action.UPDATE, _EMAIL, user.email, desired.email))
    if desired.login_type and user.login_type and user.login_type != desired.login_type:
        changes.append(Change(Action.UPDATE, _LOGIN_TYPE, user.login_type, desired.login_type.value))
    if desired.username is not None and user.username != desired.username:
        changes.append(Change(Action.UPDATE, _USERNAME, user.username, desired.username))
    if desired.name is not None and desired.name != (user.name or ""):
        changes.append(Change(Action.UPDATE, _NAME, user.name, desired.name))
    if desired.roles is not None:
        wanted = frozenset(desired.roles)
        changes += [Change(Action.ADD, _ROLES, after=role, subject=role) for role in sorted(wanted - user.site_roles)]
        surplus = sorted(user.site_roles - wanted)
        changes += [Change(Action.REMOVE, _ROLES, before=role, subject=role) for role in surplus]
    state = State.ACTIVE if desired.state is None and observed.returned else desired.state
    if state is not None and user.is_suspended != (state is State.SUSPENDED):
        changes.append(Change(Action.UPDATE, _STATE, user.status, state.value))
    hours = _differs(desired.quiet_hours, observed.quiet_hours)
    return [*changes, hours] if hours else changes


def _differs(desired: QuietHours | None, hours: records.QuietHours | None) -> Change | None:
    if desired is None:
        return None
    current = hours.raw_schedule if hours else None
    if current is not None and canonical(current) == canonical(desired.schedule):
        return None
    return Change(Action.UPDATE, _SCHEDULE, current, desired.schedule)


_SCHEDULE_FORM: Final = re.compile(r"(?:CRON_TZ=(\S+) +)?([0-9]+) +([0-9]+) +\* +\* +\*")


def canonical(schedule: str) -> tuple[str, int, int] | str:
    """Zone, hour and minute, whichever way they are written; what is no daily schedule stays as it is."""
    match = _SCHEDULE_FORM.fullmatch(schedule.strip())
    return (match[1] or "UTC", int(match[3]), int(match[2])) if match else schedule


def _shown_hours(hours: records.QuietHours) -> dict[str, str]:
    shown = {"schedule": hours.raw_schedule[:MAX_SCHEDULE], "timezone": hours.timezone[:64]}
    return {name: text for name, text in shown.items() if text}


def _what_cannot_change(changes: Sequence[Change]) -> KindError | None:
    fixed = [change for change in changes if change.path in {_EMAIL, _LOGIN_TYPE}]
    if not fixed:
        return None
    differs = "; ".join(map(str, fixed))
    return stalled(
        Reason.CANNOT_CHANGE,
        f"{differs}: Coder cannot change that; delete the object with deletionPolicy Retain, and create it anew as the "
        "user is, with adoptionPolicy Adopt",
        fixed,
    )


# What is done about it


async def _create(context: Context, desired: UserSpec, observed: ObservedUser) -> ObservedUser:
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
    return await _with_details(context, desired, replace(observed, user=user, external_id=user.id))


async def _create_by_api(context: Context, desired: UserSpec, observed: ObservedUser) -> records.User:
    request = CreateUserRequest(
        email=desired.email,
        username=observed.username,
        login_type=desired.login_type or LoginType.OIDC,
        organization_id=observed.organization_id,
        **({} if desired.name is None else {"name": desired.name}),
    )
    try:
        user = await context.client.users.create(request)
    except errors.AlreadyTaken as error:
        raise stalled(
            Reason.ALREADY_EXISTS,
            f"a user {observed.username} or {desired.email} was just made by someone else ({error.message})",
        ) from None
    return _named(user, desired.name)


async def _create_by_scim(context: Context, desired: UserSpec, observed: ObservedUser) -> records.User:
    _require_scim(context)
    active = desired.state is not State.SUSPENDED
    made = await context.client.scim.create(observed.username, desired.email, desired.name or "", active=active)
    user = await context.client.users.get(made.id)
    if not _is_called(user.email, desired.email):
        # It answers with whoever has the username.
        raise stalled(
            Reason.ALREADY_EXISTS, f"the username {observed.username} was just taken by {user.email} ({user.id})"
        )
    return user


async def _set_profile(context: Context, desired: UserSpec, observed: ObservedUser) -> ObservedUser:
    user = _existing(observed)
    name = user.name if desired.name is None else desired.name
    username = desired.username or user.username
    request = UpdateProfileRequest(username=username, **({} if name is None else {"name": name}))
    return _updated(context, observed, _named(await context.client.users.set_profile(user.id, request), name))


async def _set_roles(context: Context, desired: UserSpec, observed: ObservedUser) -> ObservedUser:
    request = UpdateRolesRequest(roles=sorted(desired.roles or ()))
    return _updated(context, observed, await context.client.users.set_roles(_existing(observed).id, request))


async def _set_state(context: Context, desired: UserSpec, observed: ObservedUser) -> ObservedUser:
    active = desired.state is not State.SUSPENDED
    return _updated(context, observed, await _set_active(context, _existing(observed).id, active, desired.via))


async def _set_quiet_hours(context: Context, desired: UserSpec, observed: ObservedUser) -> ObservedUser:
    if desired.quiet_hours is None or observed.trouble is not None:
        return observed  # what was found when they were read
    schedule = " ".join(desired.quiet_hours.schedule.split())
    hours = await context.client.quiet_hours.set(_existing(observed).id, schedule)
    return replace(observed, quiet_hours=hours)


_Step = Callable[[Context, UserSpec, ObservedUser], Awaitable[ObservedUser]]
_STEPS: Final[Mapping[str, _Step]] = {
    _USERNAME: _set_profile,
    _NAME: _set_profile,
    # Coder suspends no owner, so roles come first.
    _ROLES: _set_roles,
    _STATE: _set_state,
    _SCHEDULE: _set_quiet_hours,
}


async def _set_active(context: Context, user_id: str, active: bool, via: Via) -> records.User:
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


def _existing(observed: ObservedUser) -> records.User:
    if observed.user is None:
        raise AssertionError("only a user who exists is changed")
    return observed.user


def _named(user: records.User, name: str | None) -> records.User:
    """With the name that was sent, where the server does not repeat it."""
    return user.model_copy(update={"name": name}) if user.name is None else user


def _updated(context: Context, observed: ObservedUser, user: records.User) -> ObservedUser:
    known = _existing(observed)
    context.directory.put_user(user)
    return replace(observed, user=_named(user, known.name))
