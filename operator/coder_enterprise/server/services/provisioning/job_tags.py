"""Tags of provisioner daemons and of jobs: which daemon does which job.

`scope` and `owner` are always there: a daemon or a job is the organization's, or one user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from coder_enterprise.server.errors import BadRequest, invalid

SCOPE: Final = "scope"
OWNER: Final = "owner"
ORGANIZATION: Final = "organization"
USER: Final = "user"
NO_TAGS: Final[Mapping[str, str]] = {}
"""For a filter: any."""
UNTAGGED: Final[Mapping[str, str]] = {SCOPE: ORGANIZATION, OWNER: ""}
MAX_TAGS: Final = 64
MAX_LENGTH: Final = 256


def parse(pairs: Iterable[str]) -> dict[str, str]:
    """`name=value`; the first = divides. Raises `BadRequest`."""
    tags: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadRequest(f"Tag {pair!r} is not of the form name=value.")
        tags[name] = value
    return tags


def check(tags: Mapping[str, str], field: str = "tags") -> None:
    """Raises `BadRequest` for what cannot be kept."""
    if any("\0" in text for pair in tags.items() for text in pair):
        raise invalid(**{field: "must not hold a NUL character"})
    if len(tags) > MAX_TAGS or any(len(text) > MAX_LENGTH for pair in tags.items() for text in pair):
        raise invalid(**{field: f"at most {MAX_TAGS} tags, with names and values of at most {MAX_LENGTH} characters"})


def normalized(tags: Mapping[str, str], user_id: UUID) -> dict[str, str]:
    """With the scope and the owner, who is nobody but that user."""
    if tags.get(SCOPE) == USER:
        return {**tags, OWNER: str(user_id)}
    return for_organization(tags)


def for_organization(tags: Mapping[str, str]) -> dict[str, str]:
    return {**tags, **UNTAGGED}


def accepts(daemon: Mapping[str, str], job: Mapping[str, str]) -> bool:
    """A daemon has every tag of its jobs, and may have more; one that has more leaves jobs without any to others."""
    if job == UNTAGGED:
        return daemon == UNTAGGED
    return job.items() <= daemon.items()
