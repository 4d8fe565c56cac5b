"""What Coder has, said as specs: what `coder-enterprise export` writes, and the operator then adopts.

Made by each kind for its own things. A declaration is what a person would write: names in place of ids, and nothing
that is as it would be anyway. What a person must decide is a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Declaration:
    """One thing in Coder, as an object that declares it."""

    external_id: str
    title: str
    """What people call it: the object's name is made of it."""
    spec: Mapping[str, Any]
    """As it would be written, without the policies that all kinds have."""
    name_field: str = ""
    """The field of spec that is left out where it is the object's own name."""
    organization: str = ""
    """Name of the organization; "" for what belongs to the whole deployment."""
    at_home: bool = True
    """In the default organization or in none, which nobody needs to name."""
    notes: tuple[str, ...] = ()
    """What a person should know or decide, a sentence each."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Secrets that the spec refers to: for each name, the command that makes it."""


def without_blanks(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec without what is empty, which is how a new thing is anyway."""
    return {name: value for name, value in spec.items() if value not in (None, "", 0, [], {})}


def organization_of(is_default: bool, name: str) -> str | None:
    """For a spec: nobody writes the default one."""
    return None if is_default else name
