"""What a filter may match: one lookup where it compares with something that has an index."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from scim2_models.path import AttrPath, CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from coder_enterprise.server import names
from coder_enterprise.server.storage import scim
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.scim import Person

_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")
"""ASCII that JSON writes as it is: every database agrees on what is the same."""


def candidates(connection: Connection, node: FilterNode) -> list[Person]:
    """All that a filter may match: one lookup where it compares with something that has an index."""
    terms = node.terms if isinstance(node, LogicalExpr) and node.op == LogicalOperator.and_ else (node,)
    for term in terms:
        if not isinstance(term, Comparison) or term.op != CompareOperator.eq:
            continue
        look_up = _LOOKUPS.get(_path(term.attr_path))
        # Outside of ASCII, SCIM and the index have different ideas of what is the same.
        if look_up is not None and isinstance(term.value, str) and _PLAIN.fullmatch(term.value):
            return [person for person in look_up(connection, term.value) if not person.hidden]
    return scim.everybody(connection)


def _path(path: AttrPath) -> str:
    return f"{path.attr}.{path.sub_attr}".lower() if path.sub_attr else path.attr.lower()


def _by_id(connection: Connection, text: str) -> list[Person]:
    value = names.as_uuid(text)
    person = scim.get(connection, value) if value else None
    return [person] if person else []


_LOOKUPS: Final[Mapping[str, Callable[[Connection, str], list[Person]]]] = {
    "id": _by_id,
    "username": scim.by_user_name,
    "emails": scim.by_any_email,
    "emails.value": scim.by_any_email,
    "externalid": scim.by_external_id,
}
