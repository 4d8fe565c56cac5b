"""SCIM: how an identity provider makes, changes and suspends people.

The rules for users are those of `users`; here is what an identity provider adds to them: its own names, which need
not be usernames, and the decisions of RFC 7644. `actor` None is the identity provider; it may do what a user-admin may.

A user who is deleted through SCIM is suspended and hidden from SCIM, as nothing that belongs to them may be lost. When
the identity provider makes the same person again, they come back.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from scim2_models import (
    Context,
    InvalidValueException,
    Meta,
    NotFoundException,
    PatchOp,
    SCIMException,
    ScimFilter,
    SearchRequest,
    UniquenessException,
)
from scim2_models.path import AttrPath, CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import RequestError, invalid
from coder_enterprise.server.services import audit, references, users
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.pools import Pool
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
from coder_enterprise.server.storage.scim import Identity, Person
from coder_enterprise.wire.scim import SCIMEmail, SCIMName, SCIMUser, SCIMUsers
from coder_enterprise.wire.users import CreateUserRequest, SDKUser

_SEARCHES: Final = Pool("searches", threads=1, max_waiting=8)
MOUNT: Final = "/scim/v2"
MAX_TEXT: Final = 254
MAX_EMAILS: Final = 20
MAX_OFFSET: Final = 2**31

T = TypeVar("T")

_Change = Callable[[Connection, Actor, Person], Person]

_BEARER: Final = re.compile("Bearer +", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")
"""ASCII that JSON writes as it is: every database agrees on what is the same."""
_ILLEGAL: Final = re.compile("[^A-Za-z0-9-]+")


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
        people = await self._database.read(lambda connection: _candidates(connection, which.ast))
        # Not on the event loop: ten thousand users take it a fifth of a second.
        matching = await _SEARCHES.run(self._matching, which, people)
        return Found(matching[offset : offset + limit], len(matching), start)

    async def get(self, actor: Actor, user_id: str) -> Person:
        """Raises `Forbidden`, and `NotFoundException`."""
        self.require(actor)
        return await self._database.read(lambda connection: _one(connection, user_id))

    async def create(self, actor: Actor, user: User) -> Person:
        """Raises `Forbidden`, `InvalidValueException`, and `UniquenessException` for one who is there already."""
        return await self._write(actor, lambda connection, actor: _create(connection, actor, user))

    async def ensure(self, actor: Actor, user: User) -> Person:
        """As Coder's first SCIM: one who is there already is returned, and comes back when suspended.

        Raises `Forbidden`, and `InvalidValueException`.
        """
        return await self._write(actor, lambda connection, actor: _ensure(connection, actor, user))

    async def replace(self, actor: Actor, user_id: str, sent: Mapping[str, Any]) -> Person:
        """What RFC 7644 calls PUT. Raises like `patch`."""
        user = _read(lambda: parse(User, sent, Context.RESOURCE_REPLACEMENT_REQUEST), sent)

        def change(connection: Connection, actor: Actor, person: Person) -> Person:
            return _apply(connection, actor, person, user, _shown_name(user)) if user else person

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
            return _apply(connection, actor, person, after, _patched_name(before, after))

        return await self._change(actor, user_id, change, leaves=deactivates(sent))

    async def remove(self, actor: Actor, user_id: str) -> None:
        """Suspend and hide. Raises `Forbidden`, `BadRequest` for an owner or oneself, and `NotFoundException`."""

        def work(connection: Connection, actor: Actor) -> Person:
            person = _one(connection, user_id)
            row = users.suspend(connection, actor, person.user)
            return _identify(connection, actor, person._replace(user=row), _identity(person)._replace(removed=True))

        await self._write(actor, work)

    async def account(self, person: Person) -> SDKUser:
        """What the rest of the API says of them."""
        joined = await self._database.read(
            lambda connection: stored_users.organizations_of(connection, [person.user.id])
        )
        return users.to_wire(person.user, joined[person.user.id])

    def resource(self, person: Person) -> User:
        """What RFC 7643 says of them. Nothing is validated again: it comes from the database."""
        row, identity = person.user, _identity(person)
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
                for sent in _sent_emails(person)
            ],
            active=row.status != "suspended",
        )

    def documented(self, person: Person) -> SCIMUser:
        """What the contract page shows of them: the username is Coder's."""
        row = person.user
        name = _identity(person).details.get("name", {})
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
            person = _one(connection, user_id)
            try:
                person = change(connection, actor, person)
            except (SCIMException, RequestError, Duplicate):
                if not leaves:
                    raise
            return person._replace(user=users.suspend(connection, actor, person.user)) if leaves else person

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


def _one(connection: Connection, user_id: str) -> Person:
    """Raises `NotFoundException`."""
    value = names.as_uuid(user_id)
    person = scim.get(connection, value) if value else None
    if person is None or person.hidden:
        raise NotFoundException(detail=f"There is no user {user_id!r}.")
    return person


def _candidates(connection: Connection, node: FilterNode) -> list[Person]:
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


def _same(connection: Connection, user: User) -> list[Person]:
    """Those who have the address or the name of a user who is to be made, also when hidden."""
    user_name = _text("userName", user.user_name) or ""
    found = scim.by_email(connection, _email(user)) + scim.by_user_name(connection, user_name)
    return list({person.user.id: person for person in found}.values())


def _create(connection: Connection, actor: Actor, user: User) -> Person:
    """Who is suspended comes back, as in Coder; RFC 7644 knows no other way for who was deleted."""
    same = _same(connection, user)
    if not same:
        return _add(connection, actor, user)
    is_away = same[0].hidden or (user.active and same[0].user.status == "suspended")
    if len(same) > 1 or not is_away:
        raise UniquenessException(detail="A user with that userName or e-mail address exists already.")
    return _come_back(connection, actor, same[0], user)


def _ensure(connection: Connection, actor: Actor, user: User) -> Person:
    same = sorted(_same(connection, user), key=lambda person: person.hidden)
    if not same:
        return _add(connection, actor, user)
    if same[0].hidden:
        return _come_back(connection, actor, same[0], user)
    if user.active and same[0].user.status == "suspended":
        return same[0]._replace(user=users.bring_back(connection, actor, same[0].user))
    return same[0]


def _come_back(connection: Connection, actor: Actor, person: Person, user: User) -> Person:
    return _apply(connection, actor, person, user, _shown_name(user))


def _add(connection: Connection, actor: Actor, user: User) -> Person:
    user_name = _text("userName", user.user_name) or ""
    username = _username(connection, user_name)
    request = CreateUserRequest(email=_email(user), username=username, name=_shown_name(user))
    users.check(request, "oidc")
    row = users.new_user(username, request.email, request.name, "", "oidc", [])
    if not user.active:
        row = row._replace(status="suspended")
    users.add(connection, actor, row, [references.DEFAULT])
    identity = Identity(row.id, user_name, _text("externalId", user.external_id), False, _details(user))
    scim.save(connection, identity)
    return Person(row, identity)


def _apply(connection: Connection, actor: Actor, person: Person, user: User, name: str) -> Person:
    """Make the user as SCIM says: nothing is written before all is checked.

    Raises `Forbidden`, `BadRequest`, `InvalidValueException`, `UniquenessException`, and `Duplicate`.
    """
    row = person.user
    identity = _identity(person)._replace(
        user_name=_own_name(connection, person, user),
        external_id=_text("externalId", user.external_id),
        removed=False,
        details=_details(user),
    )
    values = {"email": _email(user), "name": name}
    changes = {field: value for field, value in values.items() if value != getattr(row, field)}
    problems = users.field_problems(changes)
    if problems:
        raise invalid(**problems)
    if changes:
        access.require(actor, Action.UPDATE, references.person(row))
    row = users.update(connection, actor, row, changes)
    if user.active and row.status == "suspended":
        row = users.bring_back(connection, actor, row)
    elif not user.active and row.status != "suspended":
        row = users.suspend(connection, actor, row)
    return _identify(connection, actor, person._replace(user=row), identity)


def _own_name(connection: Connection, person: Person, user: User) -> str:
    """What the identity provider calls them from now on. Raises `InvalidValueException` and `UniquenessException`."""
    user_name = _text("userName", user.user_name) or ""
    others = [other for other in scim.by_user_name(connection, user_name) if other.user.id != person.user.id]
    if others:
        raise UniquenessException(detail=f"Another user has the userName {user_name!r}.")
    return user_name


def _identify(connection: Connection, actor: Actor, person: Person, identity: Identity) -> Person:
    known = scim.get(connection, identity.user_id)
    before = _identity(known or person)
    if identity != before:
        if actor is not access.IDENTITY_PROVIDER:  # whose own these are
            access.require(actor, Action.UPDATE, references.person(person.user))
        scim.save(connection, identity)
        resource = ("user", person.user.id, person.user.username)
        shown = [{**each._asdict(), "user_id": str(each.user_id)} for each in (before, identity)]
        audit.record(connection, actor.account, "write", resource, before=shown[0], after=shown[1])
        person = person._replace(user=person.user._replace(updated_at=now()))
        stored_users.update_fields(connection, person.user.id, {"updated_at": person.user.updated_at})
    return person._replace(identity=identity)


def _identity(person: Person) -> Identity:
    return person.identity or Identity(person.user.id, person.user.username, None, False, {})


def _details(user: User) -> dict[str, Any]:
    """What is stored as it was sent."""
    details: dict[str, Any] = {}
    name = user.name.model_dump(scim_ctx=None, include=set(Name.model_fields)) if user.name else {}
    parts = {part: _text(f"name.{part}", value) for part, value in name.items() if value}
    if parts:
        details["name"] = parts
    emails = [
        {
            "value": _text("emails.value", email.value),
            "type": _text("emails.type", email.type and str(email.type)),
            "primary": email.primary,
        }
        for email in user.emails or []
    ]
    if len(emails) > MAX_EMAILS:
        raise InvalidValueException(detail=f"A user has at most {MAX_EMAILS} e-mail addresses.")
    if emails != [_only_email(_email(user))]:
        details["emails"] = emails
    return details


def _only_email(address: str) -> dict[str, Any]:
    return {"value": address, "type": "work", "primary": True}


def _sent_emails(person: Person) -> list[dict[str, Any]]:
    """As they were sent, unless Coder's own is not among them any more."""
    sent: list[dict[str, Any]] = _identity(person).details.get("emails", [])
    return sent if any(email["value"] == person.user.email for email in sent) else [_only_email(person.user.email)]


def _email(user: User) -> str:
    """The primary address, or else the first. Raises `InvalidValueException`."""
    emails = user.emails or []
    chosen = next((email for email in emails if email.primary), emails[0] if emails else None)
    address = _text("emails.value", chosen.value) if chosen else None
    if not address:
        raise InvalidValueException(detail="emails: an address is needed")
    return address


def _shown_name(user: User) -> str:
    """What Coder shows: displayName, or else what the name's parts make."""
    return (_text("displayName", user.display_name) or _full_name(user.name)).strip()


def _patched_name(before: User, after: User) -> str:
    """The name follows its parts only when they change, and displayName does not."""
    if after.display_name == before.display_name and after.name != before.name:
        return _full_name(after.name)
    return (_text("displayName", after.display_name) or "").strip()


def _full_name(name: Name | None) -> str:
    if name is None:
        return ""
    full = name.formatted or " ".join(filter(None, (name.given_name, name.family_name)))
    return _text("name", full.strip()) or ""


def _text(field: str, value: str | None) -> str | None:
    """Raises `InvalidValueException` for what no database and no page should show."""
    if not value:
        return None
    if len(value.lower()) > MAX_TEXT or len(value) > MAX_TEXT or not names.is_printable(value):
        raise InvalidValueException(detail=f"{field}: must have at most {MAX_TEXT} characters, all of them printable")
    return value


def _username(connection: Connection, user_name: str) -> str:
    """One that is free: Coder's rules are narrower than SCIM's.

    What follows the last @ goes, and so does what may not be in a username; when nothing is left, it is made up.
    """
    wanted = user_name
    if not names.FORM.fullmatch(wanted):
        wanted = _ILLEGAL.sub("", wanted.rpartition("@")[0] or wanted)
        wanted = re.sub("-+", "-", wanted)
    wanted = wanted[: names.MAX_USERNAME].strip("-") or f"user-{secrets.token_hex(4)}"
    return next(
        name
        for name in _alternatives(wanted)
        if not names.username_problem(name) and stored_users.by_username(connection, name) is None
    )


def _alternatives(wanted: str) -> Iterator[str]:
    yield wanted
    for number in range(2, 10):
        yield f"{wanted[: names.MAX_USERNAME - 2].strip('-')}-{number}"
    while True:
        yield f"{wanted[: names.MAX_USERNAME - 9].strip('-')}-{secrets.token_hex(4)}"
