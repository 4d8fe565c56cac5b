"""What lists of workspaces are searched by."""

from __future__ import annotations

from typing import Final

from coder_enterprise.server import access
from coder_enterprise.server.access import Actor, Kind, Subject
from coder_enterprise.server.errors import invalid
from coder_enterprise.server.services import references, search
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.workspace_search import Filter
from coder_enterprise.wire.workspaces import STATUSES

AGENT_STATUSES: Final = ("connecting", "connected", "disconnected", "timeout")
LAST_USED: Final = ("last_used_after", "last_used_before")
KEYS: Final = (
    "owner",
    "template",
    "name",
    "id",
    "organization",
    "status",
    "outdated",
    "dormant",
    "has-agent",
    "param",
    *LAST_USED,
)


def parse_query(connection: Connection, actor: Actor, query: str) -> Filter:
    """`status:running outdated:true olivia/dev`: the free term is a name, with its owner or without.

    Raises `BadRequest`.
    """
    values = search.parse(query, KEYS)
    owner, slash, name = values.get(search.FREE, "").rpartition("/")
    if "/" in owner or (slash and ("owner" in values or not name)):
        raise invalid(q="the free term is a workspace's name, or its owner's and its own with one slash between them")
    owner, name = values.get("owner", owner), values.get("name", name)
    return Filter(
        only=None if access.sees(actor, Subject(Kind.WORKSPACE)) else actor.id,
        owner=actor.username.lower() if owner == references.ME else owner,
        template=values.get("template", ""),
        name=name,
        ids=search.ids("id", values.get("id")),
        organization_id=search.organization(connection, values.get("organization")),
        status=search.choice("status", values.get("status"), STATUSES),
        outdated=search.boolean("outdated", values.get("outdated")),
        dormant=search.boolean("dormant", values.get("dormant")) or False,
        last_used=search.period(values, *LAST_USED),
        parameters=_parameters(values.get("param")),
        agents=search.one_of("has-agent", values.get("has-agent"), AGENT_STATUSES),
    )


def _parameters(text: str | None) -> tuple[tuple[str, str | None], ...]:
    """`region=eu,size`: names, and values where these count, too. Raises `BadRequest`."""
    if text is None:
        return ()
    found = []
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not name or "=" in value or (equals and not value):
            raise invalid(q="param must be names of parameters with commas between them, such as region=eu,size")
        found.append((name, value if equals else None))
    return tuple(found)
