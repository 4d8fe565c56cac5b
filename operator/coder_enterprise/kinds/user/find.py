"""Who a CoderUser is in Coder: found by id, e-mail or username, in the shared list or read for this reconcile."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from coder_enterprise.client import errors, records
from coder_enterprise.kinds.machinery.base import Context, Observation
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.lookups import or_none
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource

SEES_EVERYBODY: Final = frozenset({"owner", "user-admin", "template-admin", "auditor"})
"""Site roles whose holders see all users: what they do not see is not there."""


@dataclass(frozen=True, kw_only=True)
class ObservedUser(Observation):
    resource: Resource
    username: str
    """As declared, or the object's own name, which counts only for a new user."""
    user: records.User | None
    returned: bool = False
    """An object of the same name had the user, and its deletion suspended them."""
    rival: records.User | None = None
    """Somebody else, with another e-mail, who has that username."""
    organization_id: str = ""
    """Where a user who does not exist is to be made."""
    unplanned: bool = False
    """Coder has made the user with what no plan has named, such as a role: the next one does."""
    quiet_hours: records.QuietHours | None = None
    quota: records.Quota | None = None


def existing(observed: ObservedUser) -> records.User:
    if observed.user is None:
        raise AssertionError("only a user who exists is changed")
    return observed.user


_Found = tuple[records.User | None, records.User | None, bool]
"""The user; else who has the username; and whether that was read for this reconcile."""


async def recall_user(context: Context, email: str, username: str, recorded_id: str | None) -> _Found:
    """From the shared list. That a person is not there needs no second look: Coder itself refuses who is."""
    index = await context.directory.users.get()
    if recorded_id is not None:
        return index.by_id.get(recorded_id), None, False
    user, named = index.find(email), index.find(username)
    if user is not None and is_called(user.email, email):
        return user, None, False
    rival = named if named is not None and is_called(named.username, username) else None
    return None, rival, rival is None


async def read_user(context: Context, email: str, username: str, recorded_id: str | None) -> _Found:
    if recorded_id is not None:
        user = await living(context, recorded_id)
        if user is not None:
            context.directory.put_user(user)
            return user, None, True
        context.directory.drop_user(recorded_id)
    named = await _user_or_none(context.client.users.get(username))
    if named is not None and is_called(named.email, email):
        context.directory.put_user(named)
        return named, None, True
    index = await context.directory.users.get(newer_than=context.users_newer_than)
    listed = index.find(email)
    user = await living(context, listed.id) if listed is not None else None
    if user is not None and is_called(user.email, email):
        context.directory.put_user(user)
        return user, None, True
    return None, named, True


async def living(context: Context, user_id: str) -> records.User | None:
    """None for whoever is deleted: an id still finds them, their username does not."""
    user = await _user_or_none(context.client.users.get(user_id))
    named = await _user_or_none(context.client.users.get(user.username)) if user is not None else None
    return named if named is not None and named.id == user_id else None


async def _user_or_none(call: Awaitable[records.User]) -> records.User | None:
    try:
        return await or_none(call)
    except errors.BadRequest:
        return None  # so Coder says that there is no such user


def is_called(name: str, reference: str) -> bool:
    return name.lower() == reference.lower()


async def require_sight(context: Context, user_id: str) -> None:
    """That somebody is not to be seen proves something only to those who see everybody."""
    me = await context.client.users.me()
    if not me.site_roles & SEES_EVERYBODY:
        raise stalled(
            Reason.FORBIDDEN,
            f"Coder shows no user {user_id}, but {me.username}, whose token it is, may not see all users; use the "
            "token of an owner or user-admin",
        )
