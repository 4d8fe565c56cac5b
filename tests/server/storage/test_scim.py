"""What identity providers call people, on both databases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from coder_enterprise.server.services.accounts import new_user
from coder_enterprise.server.storage import scim, users
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.scim import Identity, Person


@dataclass(frozen=True)
class Some:
    """Three users: one of Coder's own, one with an identity, and one whose identity was removed."""

    own: UUID
    known: UUID
    removed: UUID


def an_identity(user_id: UUID, user_name: str, **values: Any) -> Identity:
    return Identity(user_id, user_name, None, removed=False, details={})._replace(**values)


@pytest.fixture
async def some(database: Database) -> Some:
    def work(connection: Connection) -> Some:
        rows = [new_user(name, f"{name}@example.com", "", "", "oidc", []) for name in ("own", "known", "removed")]
        rows[2] = rows[2]._replace(status="suspended")
        for row in rows:
            users.create(connection, row)
        some = Some(*(row.id for row in rows))
        details = {"emails": [{"value": "known@example.com", "type": "work", "primary": None}]}
        known = an_identity(some.known, "Known@IDP", external_id="7", details=details)
        scim.save(connection, known)
        scim.save(connection, an_identity(some.removed, "removed@idp", removed=True))
        return some

    return await database.write(work)


def ids(people: list[Person]) -> list[UUID]:
    return [person.user.id for person in people]


async def test_who_was_removed_is_in_no_list_until_active_again(database: Database, some: Some) -> None:
    def shown(connection: Connection) -> tuple[list[UUID], list[UUID], int]:
        page = ids(scim.page(connection, 10, 0))
        return page, ids(scim.everybody(connection)), scim.count(connection)

    assert await database.read(shown) == ([some.known, some.own], [some.known, some.own], 2)
    await database.write(lambda connection: users.update_fields(connection, some.removed, {"status": "dormant"}))
    everybody = [some.known, some.own, some.removed]
    assert await database.read(shown) == (everybody, everybody, 3)


async def test_pages_are_cut_by_username(database: Database, some: Some) -> None:
    assert ids(await database.read(lambda connection: scim.page(connection, 1, 1))) == [some.own]


async def test_people_are_found_by_each_of_their_names(database: Database, some: Some) -> None:
    def found(connection: Connection) -> list[list[UUID]]:
        return [
            ids(scim.by_user_name(connection, "kNOWN@idp")),
            ids(scim.by_user_name(connection, "known")),
            ids(scim.by_user_name(connection, "OWN")),
            ids(scim.by_email(connection, "Known@Example.com")),
            ids(scim.by_external_id(connection, "7")),
            ids(scim.by_user_name(connection, "removed@idp")),
        ]

    assert await database.read(found) == [[some.known], [], [some.own], [some.known], [some.known], [some.removed]]


async def test_an_identity_is_read_as_it_was_written_last(database: Database, some: Some) -> None:
    identity = an_identity(some.known, "new", external_id="8", details={"name": {"given_name": "Ann"}})
    await database.write(lambda connection: scim.save(connection, identity))
    person = await database.read(lambda connection: scim.get(connection, some.known))
    assert person is not None
    assert person.identity == identity
    assert ids(await database.read(lambda connection: scim.by_user_name(connection, "new"))) == [some.known]


async def test_a_deleted_user_is_not_found(database: Database, some: Some) -> None:
    def work(connection: Connection) -> tuple[Person | None, list[Person]]:
        users.delete(connection, some.known, new_user("x", "", "", "", "", []).created_at)
        return scim.get(connection, some.known), scim.by_user_name(connection, "known@idp")

    assert await database.write(work) == (None, [])


async def test_an_address_that_is_taken_is_refused_and_the_transaction_goes_on(database: Database, some: Some) -> None:
    def work(connection: Connection) -> int:
        with pytest.raises(Duplicate):
            users.update_fields(connection, some.own, {"email": "KNOWN@example.com"})
        users.update_fields(connection, some.own, {"email": "other@example.com"})
        return len(scim.by_email(connection, "Other@example.com"))

    assert await database.write(work) == 1
