"""What one Coder server holds, in bulk lists that all objects of a deployment share.

Used by the kinds to look people, organizations and groups up by name, and to compare thousands of objects
with a single request. Our own writes go through `put_group`, `put_user` and their like, so that a
list is never older than what we wrote. The controller decides when a list is too old.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.indexes import GroupIndex, TemplateIndex, UserIndex
from coder_enterprise.client.snapshots import Snapshot

T = TypeVar("T")

DEFAULT_ORGANIZATION: Final = "default"
FOUND: Final = 25
"""People whom a search finds at most."""
UNKNOWN_FOR: Final = 5.0
"""Seconds for which a name that no organization has is not asked for again, whoever waits for it."""


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

    async def search_users(self, text: str) -> Sequence[records.User]:
        """The first whose username or e-mail contains that one word: a request for each call."""
        return await self._client.users.search(text, FOUND)

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

    def unfinished_jobs(self, organization_id: str) -> Snapshot[tuple[records.ProvisionerJob, ...]]:
        return self.shared(f"jobs/{organization_id}", lambda: self._client.server.unfinished_jobs(organization_id))

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
