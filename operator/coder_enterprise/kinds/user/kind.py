"""CoderUser as the controller drives it: observe, plan, apply, report, delete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from coder_enterprise.client import errors
from coder_enterprise.kinds.machinery.base import APPLIED, Context, ManagedKind, Verdict
from coder_enterprise.kinds.machinery.changes import Action, Change, creates, paths_of
from coder_enterprise.kinds.machinery.common import AGE_COLUMNS, READY_COLUMNS, STATUS_DEFAULT
from coder_enterprise.kinds.machinery.consent import Demand
from coder_enterprise.kinds.machinery.crd import Column, custom_resource_definition
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.lookups import find_organization
from coder_enterprise.kinds.machinery.moments import MIN_REVISIT
from coder_enterprise.kinds.machinery.names import LOWER_CASE, OWN, is_one_of, matches, own_name
from coder_enterprise.kinds.machinery.people import Mention, texts
from coder_enterprise.kinds.machinery.resource import Names, Resource
from coder_enterprise.kinds.user.declare import user_declarations
from coder_enterprise.kinds.user.details import shown_hours, with_details
from coder_enterprise.kinds.user.differences import (
    EMAIL,
    ROLES,
    STATE,
    USERNAME,
    differences,
    newborn,
    still_to_do,
    what_cannot_change,
)
from coder_enterprise.kinds.user.find import ObservedUser, existing, living, read_user, recall_user, require_sight
from coder_enterprise.kinds.user.spec import (
    MAX_NAME,
    MAX_USERNAME,
    RESERVED,
    OnDelete,
    UserSpec,
    UserStatus,
    Via,
)
from coder_enterprise.kinds.user.steps import STEPS, create, set_active


class UserKind(ManagedKind[UserSpec, ObservedUser]):
    names = Names("CoderUser", "coderusers", "coderuser", "coderuser")
    things = "users"
    spec_model = UserSpec
    calls = (
        "organizations.get",
        "organizations.list",
        "quiet-hours.get",
        "quiet-hours.set",
        "scim.create",
        "scim.update",
        "users.activate",
        "users.create",
        "users.delete",
        "users.get",
        "users.list",
        "users.me",
        "users.profile",
        "users.roles",
        "users.suspend",
        "workspace-quota.get",
    )
    alters_people = True
    others_see = frozenset({USERNAME, STATE})
    crd = custom_resource_definition(
        names=names,
        spec=UserSpec,
        status=UserStatus,
        status_default=dict(STATUS_DEFAULT),
        validations=(
            own_name(
                "username",
                "username in Coder",
                matches(OWN, LOWER_CASE),
                f"size({OWN}) <= {MAX_USERNAME}",
                f"!{matches(OWN, '^[0-9a-f]{32}$')}",
                f"!({is_one_of(OWN, RESERVED)})",
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
    def mentions(self, resource: Resource) -> Iterator[Mention]:
        for email in texts(resource.spec, "email"):
            yield Mention(email, EMAIL)
        yield Mention(next(texts(resource.spec, "username"), "") or resource.key.name, USERNAME)

    @override
    def demand(self, spec: UserSpec, changes: Sequence[Change] = ()) -> Demand:
        touched = {change.subject for change in changes if change.path == ROLES}
        roles = None if spec.roles is None else frozenset(spec.roles) | touched
        return Demand(self.names.kind, roles=roles)

    @override
    def external_name(self, resource: Resource, spec: UserSpec) -> str:
        return spec.email.lower()

    @override
    def known_as(self, resource: Resource, spec: UserSpec) -> frozenset[str]:
        return frozenset({spec.email.lower(), (spec.username or resource.key.name).lower()})

    @override
    def secrets(self, resource: Resource, spec: UserSpec) -> tuple[str, ...]:
        """That of a user who is still to be made; afterwards it is of no interest."""
        ref = spec.password_secret_ref
        return (ref.name,) if ref and resource.external_id is None else ()

    @override
    async def identity(self, context: Context, resource: Resource, spec: UserSpec) -> str:
        return self.external_name(resource, spec)

    @override
    async def observe(self, context: Context, resource: Resource, spec: UserSpec, *, fresh: bool) -> ObservedUser:
        username = spec.username or resource.key.name
        find = read_user if fresh else recall_user
        user, rival, proven = await find(context, spec.email, username, resource.external_id)
        left = context.beside.left_behind(resource) if resource.external_id is None else None
        returned = user is not None and user.id == left
        observed = ObservedUser(
            external_id=user.id if user else None,
            fresh=proven,
            resource=resource,
            intended=returned,
            returned=returned,
            username=username,
            user=user,
            rival=rival,
            organization_id="" if user else (await find_organization(context, spec.organization)).id,
        )
        return await with_details(context, spec, observed)

    @override
    def plan(self, desired: UserSpec, observed: ObservedUser, recorded: Mapping[str, Any]) -> list[Change]:
        user = observed.user
        if user is not None:
            name = recorded.get("name") if user.name is None else user.name
            return differences(desired, observed, replace(user, name=name))
        changes = [Change(Action.CREATE, "spec", after=observed.username)]
        if observed.rival:
            owner = observed.rival.email or observed.rival.id
            changes.append(Change(Action.UPDATE, USERNAME, f"belongs to {owner}", observed.username))
        return changes + differences(desired, observed, newborn(desired, observed))

    @override
    async def apply(
        self, context: Context, desired: UserSpec, observed: ObservedUser, changes: Sequence[Change]
    ) -> ObservedUser:
        if observed.user is None:
            if not creates(changes):
                return observed
            observed = await create(context, desired, observed)
            left = differences(desired, observed, existing(observed))
            changes = still_to_do(changes, left)
            observed = replace(observed, unplanned=len(changes) < len(left))
        troubles: list[errors.OperatorError] = []
        paths = paths_of(changes)
        for step in dict.fromkeys(step for path, step in STEPS.items() if path in paths):
            try:
                observed = await step(context, desired, observed, changes)
            except (errors.APIError, KindError) as error:
                # Whoever is to be suspended is, though a role may be refused.
                troubles.append(error)
        troubles += filter(None, (observed.trouble, what_cannot_change(changes)))
        return replace(observed, fresh=True, trouble=troubles[0] if troubles else None)

    @override
    def report(
        self, desired: UserSpec, observed: ObservedUser, changes: Sequence[Change], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        user, quota, hours = observed.user, observed.quota, observed.quiet_hours
        fields: dict[str, Any] = {
            "quota": {"budget": quota.budget, "consumed": quota.credits_consumed} if quota else None,
            "quietHours": shown_hours(hours) if hours else None,
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
    def verdict(self, desired: UserSpec, observed: ObservedUser) -> Verdict:
        return Verdict(revisit=MIN_REVISIT) if observed.unplanned else APPLIED

    @override
    async def delete(self, context: Context, resource: Resource) -> str | None:
        user_id = resource.external_id
        if user_id is None:
            return None
        user = await living(context, user_id)
        if user is None:
            await require_sight(context, user_id)
        elif resource.spec.get("onDelete") != OnDelete.DELETE:
            if not user.is_suspended:
                await context.beside.leave_behind(resource, user_id)
                await set_active(context, user_id, False, Via(resource.spec.get("via", Via.API)))
            return f"{user.username} ({user_id}) is suspended in Coder; spec.onDelete Delete would have deleted them"
        else:
            await context.client.users.delete(user_id)
        context.directory.drop_user(user_id)
        return None

    @override
    async def declarations(self, context: Context, names: Mapping[str, str]) -> Sequence[Declaration]:
        return await user_declarations(context)
