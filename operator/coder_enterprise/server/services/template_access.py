"""Who sees a template and who may change it: asked by every service that has to do with one.

An owner, a template-admin and an auditor see all; everybody else sees what the ACL grants. What is not visible does
not exist to the caller.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject, Whom
from coder_enterprise.server.errors import Forbidden, NotFound
from coder_enterprise.server.storage import templates
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.templates import Access
from coder_enterprise.server.storage.templates import Template as TemplateRow

TEMPLATES: Final = Subject(Kind.TEMPLATE)


def access_of(actor: Actor) -> Access:
    return Access(actor.id, access.sees(actor, TEMPLATES))


def visible(connection: Connection, actor: Actor, template_id: UUID) -> TemplateRow:
    """Raises `NotFound`."""
    row = templates.get(connection, template_id, access_of(actor))
    if row is None:
        raise NotFound
    return row


def may_change(actor: Actor, row: TemplateRow) -> bool:
    """By role, or because the template's ACL makes the actor its admin."""
    ties = frozenset({Whom.ADMINISTERED} if row.administered else ())
    return access.may(actor, Action.UPDATE, Subject(Kind.TEMPLATE, ties=ties))


def changeable(connection: Connection, actor: Actor, template_id: UUID) -> TemplateRow:
    """Raises `NotFound`, and `Forbidden` for one who may only read."""
    row = visible(connection, actor, template_id)
    if not may_change(actor, row):
        raise Forbidden(
            "You are not allowed to do this.",
            f"Neither your roles nor the permissions of template {row.name!r} let you change it.",
        )
    return row
