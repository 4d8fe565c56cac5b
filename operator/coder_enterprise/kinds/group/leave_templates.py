"""What a group leaves behind in the ACLs of templates, taken out before it is deleted."""

from __future__ import annotations

import asyncio
from typing import Final

from coder_enterprise.client import errors
from coder_enterprise.client.concurrency import each
from coder_enterprise.client.directory import DEFAULT_ORGANIZATION
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import waiting
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.wire.template_acls import UpdateTemplateACLRequest

MAX_TEMPLATES: Final = 500
"""Whose ACLs are looked at when a group is deleted."""
ACLS_AT_A_TIME: Final = 8
LEAVING: Final = 60.0
"""Seconds that one visit may spend on them."""

_NOT_FOR_US: Final = (errors.BadRequest, errors.Forbidden, errors.NotFound, errors.ServerError, errors.UnexpectedShape)


async def leave_templates(context: Context, resource: Resource, group_id: str) -> None:
    """Take the group out of the ACLs of its organization's templates, as far as the server lets us.

    Coder keeps the entries of a group that is deleted, hidden, and before autumn 2025 cannot remove them any more. Read
    are shared ACLs, seconds old, so that a thousand groups that go at once cost no more than one. Raises `KindError`
    when that takes long: the next visit goes on where this one ended.
    """
    directory, newest = context.directory, context.users_newer_than
    done = directory.progress(f"leave/{group_id}")

    async def leave(template_id: str) -> None:
        acl = await directory.template_acl(template_id).get(newer_than=newest)
        if any(entry.id == group_id for entry in acl.group or ()):
            request = UpdateTemplateACLRequest(group_perms={group_id: ""})
            await context.client.templates.update_acl(template_id, request)
            directory.template_acl(template_id).expire()
        done.add(template_id)

    try:
        organization = await directory.organization(resource.spec.get("organization") or DEFAULT_ORGANIZATION)
        templates = await directory.templates(organization.id).get(newer_than=newest)
        everywhere = sorted(templates.by_id)[:MAX_TEMPLATES]
        async with asyncio.timeout(LEAVING):
            await each([item for item in everywhere if item not in done], leave, ACLS_AT_A_TIME)
    except TimeoutError:
        message = f"its entry is taken out of templates, {len(done)} of {len(everywhere)} so far"
        raise waiting(Reason.DELETING, message) from None
    except _NOT_FOR_US as error:
        # It may go all the same: one who may delete groups need not administer templates, whose answer may be 500.
        import structlog  # which commands do without

        log = structlog.get_logger(__name__)
        log.info("not taken out of templates", group=group_id, error=error.message)
