"""What may happen in a walk: a step has a name and words, and is a line of JSON in a file.

Drawn by `course`, done by `world`. Whatever is there at the time, each can be done: one that has nothing to do does
nothing, so that any part of a walk is a walk.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from tests.support.manifests import Body

GROUPS: Final = "CoderGroup"
USERS: Final = "CoderUser"
ACLS: Final = "CoderTemplateACL"
LOOKS: Final = "CoderAppearance"
LICENCES: Final = "CoderLicense"
PROXIES: Final = "CoderWorkspaceProxy"
DEPLOYMENTS: Final = "CoderDeployment"


@dataclass(frozen=True)
class Step:
    do: str
    """The name of a method of `world.World`."""
    args: tuple[str, ...] = ()

    @override
    def __str__(self) -> str:
        return json.dumps([self.do, *self.args])


@dataclass(frozen=True)
class Slot:
    """An object that a walk may declare, and the specs that it may have."""

    kind: str
    name: str
    specs: tuple[Body, ...]

    def fields(self) -> set[str]:
        """All that any of its specs has."""
        return {field for spec in self.specs for field in spec}


def _members(*users: str, mode: str = "Authoritative") -> Body:
    return {"mode": mode, "users": list(users)}


def _roles(**roles: str) -> list[Body]:
    return [{"user": user, "role": role} for user, role in roles.items()]


SLOTS: Final = {
    slot.name: slot
    for slot in (
        Slot(
            GROUPS,
            "red",
            (
                {"displayName": "One", "members": _members("ann")},
                {"displayName": "Two", "quotaAllowance": 5, "members": _members("ann", "bob")},
                {"name": "crimson", "members": _members("bob", "cleo")},
                {"members": _members("bob", mode="Additive")},
            ),
        ),
        Slot(
            GROUPS,
            "rival",
            (
                {"name": "red", "displayName": "Rival", "members": _members("bob")},
                {"name": "blue", "quotaAllowance": 1, "members": _members("ann", "cleo")},
            ),
        ),
        Slot(
            USERS,
            "dora",
            (
                {"email": "dora@example.com", "roles": ["auditor"], "onDelete": "Delete", "state": "active"},
                {"email": "dora@example.com", "roles": ["user-admin"], "onDelete": "Suspend", "state": "suspended"},
                {"email": "dora@example.com", "quietHours": {"schedule": "30 2 * * *"}, "state": "active"},
            ),
        ),
        Slot(
            ACLS,
            "docker",
            (
                {
                    "template": {"name": "docker"},
                    "everyone": "none",
                    "users": _roles(ann="admin"),
                    "groups": [{"groupRef": {"name": "red"}, "role": "use"}],
                },
                {"template": {"name": "docker"}, "everyone": "use", "users": _roles(bob="use", cleo="admin")},
            ),
        ),
        Slot(
            LOOKS,
            "looks",
            (
                {"applicationName": "Acme"},
                {"applicationName": "Acme Two", "serviceBanner": {"message": "Hello", "backgroundColor": "#1f6feb"}},
            ),
        ),
        Slot(LOOKS, "other-looks", ({"applicationName": "Other"},)),
        Slot(LICENCES, "licence", ({"secretRef": {"name": "first"}}, {"secretRef": {"name": "second"}})),
        Slot(PROXIES, "eu", ({"displayName": "One"}, {"displayName": "Two", "icon": "/emojis/1f1ea.png"})),
    )
}
"""By name, which no two of them share."""
POLICIES: Final[dict[str, tuple[Any, ...]]] = {
    "deletionPolicy": ("Delete", "Retain"),
    "adoptionPolicy": ("Fail", "AdoptIfIdentical", "Adopt"),
    "managementPolicy": ("Enforce", "Plan"),
    "suspend": (False, True),
}
WAITS: Final = ("0", "50", "300", "1500")
"""Milliseconds."""
OPERATORS: Final = ("a", "b")
PEOPLE: Final = ("ann", "bob", "cleo")


def read(path: Path) -> list[Step]:
    return [Step(do, tuple(args)) for do, *args in map(json.loads, path.read_text().splitlines())]


def script(steps: Iterable[Step]) -> str:
    """As `read` takes it."""
    return "".join(f"{step}\n" for step in steps)


def write(path: Path, steps: Sequence[Step]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script(steps))
