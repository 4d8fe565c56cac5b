"""What one Coder server holds, in bulk lists that all objects of a deployment share.

Used by the kinds to look people, organizations and groups up by name, and to compare thousands of objects
with a single request. Owns the caches; our own writes go through `put_group`, `put_user` and their like, so that a
list is never older than what we wrote. The controller decides when a list is too old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from coder_enterprise.client import errors, records
from coder_enterprise.client.absences import Absences
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import CoderClient

T = TypeVar("T")

DEFAULT_ORGANIZATION: Final = "default"
UNKNOWN_FOR: Final = 5.0
"""Seconds for which a name that no organization has is not asked for again, whoever waits for it."""


class Snapshot(Generic[T]):
    """One list, loaded once for all who ask at the same time."""

    def __init__(self, load: Callable[[], Awaitable[T]]) -> None:
        self._load = load
        self._value: T | None = None
        self._taken_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None
        self._changes: list[Callable[[T], None]] = []
        self._absences = Absences()

    @property
    def look_in(self) -> float:
        """Seconds until a `search` for names that are known to be missing reads the list again."""
        return self._absences.look_in

    @property
    def value(self) -> T | None:
        return self._value

    async def get(self, newer_than: float = float("-inf")) -> T:
        """The list as it was at some moment after `newer_than` (loop time, seconds).

        Raises `errors.CoderError`, the same one for all who waited for the same request.
        """
        while self._value is None or self._taken_at < newer_than:
            if self._loading is None:
                self._changes = []
                self._loading = asyncio.create_task(self._refresh())
            await asyncio.shield(self._loading)
        return self._value

    async def search(self, missing: Callable[[T], Collection[str]], newer_than: float, *, fresh: bool = False) -> T:
        """The list; as it was after `newer_than`, when there are names that it misses, and it is worth to look again
        for them, or `fresh` asks for it. `missing` tells the names that a list misses."""
        value = await self.get()
        before = missing(value)
        if before and (fresh or self._absences.worth_a_look(before)):
            value = await self.get(newer_than)
            self._absences.looked(before, missing(value))
        return value

    def change(self, change: Callable[[T], None]) -> None:
        """Let the list follow a write of our own; a list that is being read may have been read before it."""
        if self._value is not None:
            change(self._value)
        if self._loading is not None:
            self._changes.append(change)

    def expire(self) -> None:
        """Whoever asks from now on gets a list that was read later; one that is being read is too old already."""
        self._taken_at = float("-inf")
        self._value = None
        self._loading = None

    async def _refresh(self) -> None:
        try:
            started = now()
            value = await self._load()
            if self._loading is asyncio.current_task():
                for change in self._changes:
                    change(value)
                self._value, self._taken_at = value, started
        finally:
            if self._loading is asyncio.current_task():
                self._loading = None


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


class Directory:
    """The shared look-ups of one deployment."""

    def __init__(self, client: CoderClient) -> None:
        self._client = client
        self.users: Snapshot[UserIndex] = Snapshot(self._load_users)
        self._groups: dict[str, Snapshot[GroupIndex]] = {}
        self._organizations: dict[str, Snapshot[records.Organization]] = {}
        self._shared: dict[str, Snapshot[Any]] = {}
        self._unknown: dict[str, tuple[errors.APIError, float]] = {}
        self._progress: dict[str, set[str]] = {}

    async def organization(self, reference: str) -> records.Organization:
        """By name, id or `default`. Raises `errors.NotFound` when there is none."""
        error, until = self._unknown.get(reference, (None, float("-inf")))
        if error is not None and now() < until:
            raise error.with_traceback(None)
        snapshot = self._organizations.get(reference)
        if snapshot is None:
            snapshot = Snapshot(lambda: self._load_organization(reference))
            self._organizations[reference] = snapshot
        return await snapshot.get()

    async def organizations(self) -> Sequence[records.Organization]:
        """All that there are; only the default one where the server has no list of them."""
        return await self.shared("organizations", self._load_organizations).get()

    def shared(self, name: str, load: Callable[[], Awaitable[T]]) -> Snapshot[T]:
        """The list of that name, read by `load` for all who ask; `name` says all that `load` depends on."""
        snapshot: Snapshot[T] | None = self._shared.get(name)
        if snapshot is None:
            snapshot = self._shared[name] = Snapshot(load)
        return snapshot

    def groups(self, organization_id: str) -> Snapshot[GroupIndex]:
        snapshot = self._groups.get(organization_id)
        if snapshot is None:
            snapshot = Snapshot(lambda: self._load_groups(organization_id))
            self._groups[organization_id] = snapshot
        return snapshot

    def templates(self, organization_id: str) -> Snapshot[TemplateIndex]:
        return self.shared(f"templates/{organization_id}", lambda: self._load_templates(organization_id))

    def template(self, template_id: str) -> Snapshot[records.Template]:
        """One template, of whatever organization. Raises `errors.NotFound` when there is none."""
        return self.shared(f"template/{template_id}", lambda: self._client.templates.get(template_id))

    def template_acl(self, template_id: str) -> Snapshot[records.TemplateACL]:
        return self.shared(f"template-acl/{template_id}", lambda: self._client.templates.acl(template_id))

    def put_group(self, group: records.Group) -> None:
        """Remember a group as a write answered it."""
        self.groups(group.organization_id).change(lambda index: index.put(group))

    def drop_group(self, group_id: str) -> None:
        """Forget a group that is gone."""
        for snapshot in self._groups.values():
            snapshot.change(lambda index: index.drop(group_id))

    def put_user(self, user: records.User) -> None:
        """Remember a user as Coder has just answered it."""
        self.users.change(lambda index: index.put(user))

    def drop_user(self, user_id: str) -> None:
        """Forget a user who is gone."""
        self.users.change(lambda index: index.drop(user_id))

    def progress(self, task: str) -> set[str]:
        """Ids that a task of many requests has done, for the visit that goes on with it; until it has `finished`."""
        return self._progress.setdefault(task, set())

    def finished(self, task: str) -> None:
        self._progress.pop(task, None)

    def expire(self) -> None:
        """Read everything anew when it is next asked for."""
        self.users.expire()
        self._organizations.clear()
        self._unknown.clear()
        for snapshot in (*self._groups.values(), *self._shared.values()):
            snapshot.expire()

    async def _load_users(self) -> UserIndex:
        return UserIndex(await self._client.users.list())

    async def _load_groups(self, organization_id: str) -> GroupIndex:
        return GroupIndex(await self._client.groups.list(organization_id))

    async def _load_templates(self, organization_id: str) -> TemplateIndex:
        return TemplateIndex(await self._client.templates.list(organization_id))

    async def _load_organizations(self) -> Sequence[records.Organization]:
        try:
            return await self._client.organizations.all()
        except (errors.NotFound, errors.BadRequest):
            return (await self.organization(DEFAULT_ORGANIZATION),)

    async def _load_organization(self, reference: str) -> records.Organization:
        try:
            return await self._client.organizations.get(reference)
        except (errors.NotFound, errors.BadRequest) as error:
            # Below Coder 2.9 only ids are understood: look the name up among the user's own.
            found = _find(await self._client.organizations.mine(), reference)
            if found is None:
                self._unknown[reference] = (error, now() + UNKNOWN_FOR)
                raise
            return found


def _find(organizations: Sequence[records.Organization], reference: str) -> records.Organization | None:
    if reference == DEFAULT_ORGANIZATION:
        # Below Coder 2.9 none is marked, but a deployment has only one.
        marked = [item for item in organizations if item.is_default] or organizations
        return marked[0] if len(marked) == 1 else None
    return next((item for item in organizations if item.name.lower() == reference.lower()), None)
