"""What things may be called in Coder, as patterns and as rules of the CRDs.

An object whose spec names nothing gives its own name to the thing: then that must be one that Coder takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from coder_enterprise.kinds.machinery.schema import Cel

NAME: Final = "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"
"""Letters and digits, joined by single hyphens; the API server and `re` read it alike."""
LOWER_CASE: Final = "^[a-z0-9]+(-[a-z0-9]+)*$"
"""The same, for the name of an object, which has no capitals."""

OWN: Final = "self.metadata.name"


def matches(subject: str, pattern: str) -> str:
    return f"{subject}.matches('{pattern}')"


def is_one_of(subject: str, words: Iterable[str]) -> str:
    return f"{subject} in {list(words)}"


def own_name(field: str, what: str, *rules: str) -> Cel:
    """For the whole object: it has `spec.<field>`, or all rules hold, and its own name is a valid `what`."""
    return Cel(
        f"has(self.spec.{field}) || ({' && '.join(rules)})",
        f"metadata.name is not a valid {what}: set spec.{field}",
        field_path=f".spec.{field}",
    )
