"""What a list of Coder holds, by id and by the names that people use. Filled and kept by `directory`."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from coder_enterprise.client import records


class UserIndex:
    """Users by id, e-mail and username; the last two without regard to case, as in Coder.

    Lower case, not case folding, which would take straße@example.com and strasse@example.com for one person.
    """

    def __init__(self, users: Iterable[records.User]) -> None:
        self._by_name: dict[str, records.User] = {}
        self.by_id: dict[str, records.User] = {}
        for user in users:
            self.put(user)

    def put(self, user: records.User) -> None:
        self.drop(user.id)
        self.by_id[user.id] = user
        self._by_name |= dict.fromkeys(_names(user), user)

    def drop(self, user_id: str) -> None:
        old = self.by_id.pop(user_id, None)
        for name in _names(old) if old else ():
            # It may be another user's by now.
            if self._by_name.get(name) is old:
                del self._by_name[name]

    def find(self, reference: str) -> records.User | None:
        """By id, e-mail or username; None when nobody is called so."""
        lowered = reference.lower()
        found = self.by_id.get(lowered) or self._by_name.get(lowered)
        return found or self.by_id.get(_canonical_id(reference))

    def label(self, user_id: str) -> str:
        """The e-mail or name that a person knows, or the id."""
        user = self.by_id.get(user_id)
        return (user.email or user.username) if user else user_id


def _names(user: records.User) -> tuple[str, ...]:
    return tuple(name.lower() for name in (user.username, user.email) if name)


def _canonical_id(reference: str) -> str:
    """An id without dashes, in braces, or as a URN, as Coder writes it; "" for what is none."""
    try:
        return str(UUID(reference))
    except ValueError:
        return ""


class GroupIndex:
    """Groups of one organization by id and by exact name."""

    def __init__(self, groups: Iterable[records.Group]) -> None:
        self.by_id: dict[str, records.Group] = {}
        self.by_name: dict[str, records.Group] = {}
        for group in groups:
            self.put(group)

    def put(self, group: records.Group) -> None:
        self.drop(group.id)
        self.by_id[group.id] = group
        self.by_name[group.name] = group

    def drop(self, group_id: str) -> None:
        old = self.by_id.pop(group_id, None)
        # Its name may be another group's by now.
        if old is not None and self.by_name.get(old.name) is old:
            del self.by_name[old.name]


class TemplateIndex:
    """Templates of one organization by id, and by name without regard to case, as in Coder."""

    def __init__(self, templates: Iterable[records.Template]) -> None:
        self.by_id = {template.id: template for template in templates}
        self._by_name = {template.name.lower(): template for template in self.by_id.values()}

    def find(self, name: str) -> records.Template | None:
        return self._by_name.get(name.lower())
