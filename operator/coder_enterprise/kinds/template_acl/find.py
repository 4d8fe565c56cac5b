"""What Coder has of a template's ACL: the template, and its entries."""

from __future__ import annotations

from dataclasses import dataclass, replace

from coder_enterprise.client import errors, records
from coder_enterprise.kinds.machinery.base import Context, Observation
from coder_enterprise.kinds.machinery.errors import stalled, waiting
from coder_enterprise.kinds.machinery.lookups import or_none, read
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.template_acl.entries import Side, with_shown
from coder_enterprise.kinds.template_acl.spec import Everyone, TemplateReference


@dataclass(frozen=True, kw_only=True)
class ObservedACL(Observation):
    template: records.Template
    users: Side
    groups: Side
    groups_shown: bool
    everyone: str | None
    """The role of Everyone, or none; None when the server does not tell."""
    pending: tuple[str, ...]
    awaited: tuple[str, ...]
    """Those of `pending` that are objects of ours."""
    look_in: float | None = None
    """Seconds until the others are looked for again; None without any."""

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.users, self.groups)


async def find_template(context: Context, reference: TemplateReference, *, fresh: bool) -> records.Template:
    try:
        if reference.id is not None:
            return await read(context.directory.template(reference.id.lower()), fresh=fresh)
        organization = await context.directory.organization(reference.organization)
        return await _named_template(context, organization.id, reference.name or "", fresh=fresh)
    except (errors.NotFound, errors.BadRequest) as error:
        if isinstance(error, errors.NotFound) and error.route_missing:
            raise
        wanted = reference.id or f"{reference.organization}/{reference.name}"
        raise waiting(
            Reason.WAITING_FOR_TEMPLATE,
            f"spec.template: {wanted} does not exist in Coder, or the token cannot see it ({error.message})",
        ) from None


async def _named_template(context: Context, organization_id: str, name: str, *, fresh: bool) -> records.Template:
    if not fresh:
        listed = (await context.directory.templates(organization_id).get()).find(name)
        if listed is not None:
            return listed
    return await context.client.templates.by_name(organization_id, name)


async def refuse_another_template(context: Context, resource: Resource, template: records.Template) -> None:
    """Entries on a template that spec names no longer would stay there unseen."""
    held = resource.external_id
    if held is None or held == template.id:
        return
    other = await or_none(context.directory.template(held).get())
    if other is None:
        return  # it was deleted, and made anew with the same name
    raise stalled(
        Reason.INVALID_REFERENCE,
        f"spec.template: this object was applied to template {other.name} ({held}), and names another one now "
        f"({template.id}); name that one again, or delete this object and create it anew",
    )


async def read_acl(context: Context, template_id: str, *, fresh: bool) -> records.TemplateACL:
    try:
        return await read(context.directory.template_acl(template_id), fresh=fresh)
    except errors.NotFound as error:
        if error.route_missing:
            raise
        raise waiting(
            Reason.WAITING_FOR_TEMPLATE,
            f"spec.template: {template_id} is gone from Coder, or the token cannot see it ({error.message})",
        ) from None


def with_acl(observed: ObservedACL, acl: records.TemplateACL) -> ObservedACL:
    everyone = observed.template.organization_id
    groups = {entry.id: entry for entry in acl.group or ()}
    mine = groups.pop(everyone, None)
    return replace(
        observed,
        users=with_shown(observed.users, acl.users),
        groups=with_shown(observed.groups, groups.values()),
        groups_shown=acl.group is not None,
        everyone=None if acl.group is None else (mine and mine.role) or str(Everyone.NONE),
    )
