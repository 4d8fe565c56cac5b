"""SCIM: how an identity provider makes, changes and suspends people.

Who may ask, how what was sent is read, and how people are shown; what becomes of people is decided in `scim_people`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from scim2_models import Context, Meta, PatchOp, SCIMException, ScimFilter, SearchRequest, UniquenessException

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.refused import Refused
from coder_enterprise.server.services import accounts, people, scim_people
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.pools import Pool
from coder_enterprise.server.services.scim_filters import candidates
from coder_enterprise.server.services.scim_identities import identify, identity_of, sent_emails
from coder_enterprise.server.services.scim_names import patched_name, shown_name
from coder_enterprise.server.services.scim_resources import (
    DEFAULT_RESULTS,
    MAX_RESULTS,
    POLICY,
    Email,
    Name,
    User,
    deactivates,
    parse,
    parse_patch,
    refusal,
)
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.storage import scim
from coder_enterprise.server.storage import users as stored_users
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.scim import Person
from coder_enterprise.wire.scim import SCIMEmail, SCIMName, SCIMUser, SCIMUsers
from coder_enterprise.wire.users import SDKUser

_SEARCHES: Final = Pool("searches", threads=1, max_waiting=8)
MOUNT: Final = "/scim/v2"
MAX_OFFSET: Final = 2**31

T = TypeVar("T")

_Change = Callable[[Connection, Actor, Person], Person]

_BEARER: Final = re.compile("Bearer +", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A page of a list, and how many there are in all."""

    people: Sequence[Person]
    total: int
    start: int


class Scim:
    """`key` is what the Authorization header of an identity provider holds; "" is none."""

    def __init__(
        self, database: Database, sessions: Sessions, entitlements: Entitlements, access_url: str, key: str
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._entitlements = entitlements
        self._key = key.encode(errors="surrogateescape")
        self.url = access_url + MOUNT

    @property
    def enabled(self) -> bool:
        return bool(self._key)

    def admits(self, authorization: str) -> bool:
        """Whether this is the key, with or without `Bearer` before it."""
        sent = authorization.encode("latin-1", "replace")
        bare = _BEARER.sub("", authorization, count=1).encode("latin-1", "replace")
        matches = [hmac.compare_digest(value, self._key) for value in (sent, bare)]
        return self.enabled and any(matches)

    def require(self, actor: Actor) -> None:
        """Raises `Forbidden`."""
        self._entitlements.require(Feature.SCIM)
        access.require(actor, Action.CREATE, Subject(Kind.USER))

    async def list(self, actor: Actor, request: SearchRequest[User]) -> Found:
        """By username. Raises `Forbidden`."""
        self.require(actor)
        start = request.start_index or 1
        limit = min(DEFAULT_RESULTS if request.count is None else request.count, MAX_RESULTS)
        offset = min(start - 1, MAX_OFFSET)
        which = request.filter
        if which is None:
            return await self._database.read(
                lambda connection: Found(scim.page(connection, limit, offset), scim.count(connection), start)
            )
        people = await self._database.read(lambda connection: candidates(connection, which.ast))
        # Not on the event loop: ten thousand users take it a fifth of a second.
        matching = await _SEARCHES.run(self._matching, which, people)
        return Found(matching[offset : offset + limit], len(matching), start)

    async def get(self, actor: Actor, user_id: str) -> Person:
        """Raises `Forbidden`, and `NotFoundException`."""
        self.require(actor)
        return await self._database.read(lambda connection: scim_people.one(connection, user_id))

    async def create(self, actor: Actor, user: User) -> Person:
        """Raises `Forbidden`, `InvalidValueException`, and `UniquenessException` for one who is there already."""
        return await self._write(actor, lambda connection, actor: scim_people.create(connection, actor, user))

    async def ensure(self, actor: Actor, user: User) -> Person:
        """As Coder's first SCIM: one who is there already is returned, and comes back when suspended.

        Raises `Forbidden`, and `InvalidValueException`.
        """
        return await self._write(actor, lambda connection, actor: scim_people.ensure(connection, actor, user))

    async def replace(self, actor: Actor, user_id: str, sent: Mapping[str, Any]) -> Person:
        """What RFC 7644 calls PUT. Raises like `patch`."""
        user = _read(lambda: parse(User, sent, Context.RESOURCE_REPLACEMENT_REQUEST), sent)

        def change(connection: Connection, actor: Actor, person: Person) -> Person:
            return scim_people.apply(connection, actor, person, user, shown_name(user)) if user else person

        return await self._change(actor, user_id, change, leaves=deactivates(sent))

    async def patch(self, actor: Actor, user_id: str, sent: Mapping[str, Any]) -> Person:
        """Raises `Forbidden`, `BadRequest` for suspending an owner or oneself, and `SCIMException`.

        Who is to be deactivated is, also when the rest of what was sent cannot be done: then that is left undone.
        """
        patch = _read(lambda: parse_patch(sent), sent)

        def change(connection: Connection, actor: Actor, person: Person) -> Person:
            before, after = self.resource(person), self.resource(person)
            if patch is not None:
                _patch(patch, after)
            return scim_people.apply(connection, actor, person, after, patched_name(before, after))

        return await self._change(actor, user_id, change, leaves=deactivates(sent))

    async def remove(self, actor: Actor, user_id: str) -> None:
        """Suspend and hide. Raises `Forbidden`, `BadRequest` for an owner or oneself, and `NotFoundException`."""

        def work(connection: Connection, actor: Actor) -> Person:
            person = scim_people.one(connection, user_id)
            row = accounts.suspend(connection, actor, person.user)
            return identify(connection, actor, person._replace(user=row), identity_of(person)._replace(removed=True))

        await self._write(actor, work)

    async def account(self, person: Person) -> SDKUser:
        """What the rest of the API says of them."""
        joined = await self._database.read(
            lambda connection: stored_users.organizations_of(connection, [person.user.id])
        )
        return people.to_wire(person.user, joined[person.user.id])

    def resource(self, person: Person) -> User:
        """What RFC 7643 says of them. Nothing is validated again: it comes from the database."""
        row, identity = person.user, identity_of(person)
        name = identity.details.get("name")
        return User.model_construct(
            id=str(row.id),
            external_id=identity.external_id,
            meta=Meta.model_construct(
                resource_type="User",
                created=row.created_at,
                last_modified=row.updated_at,
                location=f"{self.url}/Users/{row.id}",
            ),
            schemas=[str(User.__schema__)],
            user_name=identity.user_name,
            name=Name.model_construct(**name) if name else None,
            display_name=row.name or None,
            emails=[
                Email.model_construct(
                    value=sent["value"], type=sent["type"] and Email.Type(sent["type"]), primary=sent["primary"]
                )
                for sent in sent_emails(person)
            ],
            active=row.status != "suspended",
        )

    def documented(self, person: Person) -> SCIMUser:
        """What the contract page shows of them: the username is Coder's."""
        row = person.user
        name = identity_of(person).details.get("name", {})
        return SCIMUser(
            id=str(row.id),
            user_name=row.username,
            name=SCIMName(given_name=name.get("given_name") or "", family_name=name.get("family_name") or ""),
            emails=[SCIMEmail(value=row.email, primary=True, type="work", display=row.name)],
            active=row.status != "suspended",
        )

    def documented_list(self, found: Found) -> SCIMUsers:
        shown = [self.documented(person) for person in found.people]
        return SCIMUsers(total_results=found.total, start_index=found.start, items_per_page=len(shown), resources=shown)

    def _matching(self, which: ScimFilter[User], people: Sequence[Person]) -> Sequence[Person]:
        return [person for person in people if which.match(self.resource(person))]

    async def _change(self, actor: Actor, user_id: str, change: _Change, *, leaves: bool) -> Person:
        def work(connection: Connection, actor: Actor) -> Person:
            person = scim_people.one(connection, user_id)
            try:
                person = change(connection, actor, person)
            except (SCIMException, Refused, Duplicate):
                if not leaves:
                    raise
            return person._replace(user=accounts.suspend(connection, actor, person.user)) if leaves else person

        return await self._write(actor, work)

    async def _write(self, actor: Actor, work: Callable[[Connection, Actor], Person]) -> Person:
        self.require(actor)

        def required(connection: Connection, actor: Actor) -> Person:
            self.require(actor)
            return work(connection, actor)

        try:
            person = await self._database.write_as(actor, required)
        except Duplicate:
            raise UniquenessException(detail="Another user has this e-mail address.") from None
        await self._sessions.forget()
        return person


def _read(read: Callable[[], T], sent: Mapping[str, Any]) -> T | None:
    """None for what cannot be read, and yet deactivates. Raises `SCIMException`."""
    try:
        return read()
    except SCIMException:
        if deactivates(sent):
            return None
        raise


def _patch(patch: PatchOp[User], user: User) -> None:
    """Raises `SCIMException`."""
    try:
        patch.patch(user, POLICY)
    except SCIMException as error:
        if isinstance(error.__cause__, ValidationError):
            raise refusal(error.__cause__) from None
        raise
