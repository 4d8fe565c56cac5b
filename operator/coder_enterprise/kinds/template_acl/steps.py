"""The writes of an ACL, also to servers that refuse a change of the entry of somebody who is gone."""

from __future__ import annotations

from collections.abc import Sequence

from coder_enterprise.client import errors
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.template_acl.entries import request_for, takes


async def write(context: Context, template_id: str, changes: Sequence[Change]) -> None:
    if not changes:
        return
    try:
        await context.client.templates.update_acl(template_id, request_for(changes))
    except errors.BadRequest:
        taken = [change for change in changes if takes(change)]
        if not taken:
            raise
        # Old servers do not change the entry of what is gone, and with it refuse all else.
        others = [change for change in changes if not takes(change)]
        if others:
            await context.client.templates.update_acl(template_id, request_for(others))
        for change in taken:
            await _take(context, template_id, change)


async def _take(context: Context, template_id: str, change: Change) -> None:
    try:
        await context.client.templates.update_acl(template_id, request_for([change]))
    except errors.BadRequest as error:
        if not set(error.validations) & {"user_perms", "group_perms"}:
            raise
