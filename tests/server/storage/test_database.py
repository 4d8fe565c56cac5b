"""What both databases promise behind the seam."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, insert, select

from coder_enterprise.server.access import IDENTITY_PROVIDER, Actor
from coder_enterprise.server.services.default_organization import ensure_default
from coder_enterprise.server.storage import actors, api_keys, audit, groups, organizations, schema, users
from coder_enterprise.server.storage.api_keys import APIKey
from coder_enterprise.server.storage.database import Database, Duplicate
from coder_enterprise.server.storage.failures import SessionEnded
from coder_enterprise.server.storage.groups import Group
from coder_enterprise.server.storage.notifications import MAX_MESSAGE
from coder_enterprise.server.storage.schema import NEVER, audit_log
from coder_enterprise.server.storage.users import Filter, User

MOMENT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)


def a_user(username: str, email: str = "") -> User:
    return User(
        id=uuid4(),
        username=username,
        email=email or f"{username}@example.com",
        name="",
        password_hash="",
        login_type="none",
        status="active",
        roles=["auditor", "owner"],
        avatar_url="",
        deleted=False,
        created_at=MOMENT,
        updated_at=MOMENT,
        last_seen_at=NEVER,
    )


def a_group(organization_id: UUID, name: str) -> Group:
    return Group(
        id=uuid4(),
        organization_id=organization_id,
        name=name,
        display_name="",
        avatar_url="",
        quota_allowance=0,
        source="user",
        organization_name="coder",
        organization_display_name="Coder",
    )


def store(connection: Connection, *rows: User | Group) -> None:
    for row in rows:
        if isinstance(row, User):
            users.create(connection, row)
        else:
            groups.create(connection, row)


async def an_organization(database: Database) -> UUID:
    return (await database.write(ensure_default)).id


async def test_a_read_sees_every_acknowledged_write(database: Database) -> None:
    ann = a_user("ann")
    await database.write(lambda connection: users.create(connection, ann))
    assert await database.read(lambda connection: users.get(connection, ann.id)) == ann


async def test_a_user_comes_back_as_it_was_stored(database: Database) -> None:
    ann = a_user("Ann")
    await database.write(lambda connection: users.create(connection, ann))
    found = await database.read(lambda connection: users.by_username(connection, "aNN"))
    assert found == ann
    assert isinstance(found.id, uuid.UUID)
    assert found.last_seen_at.tzinfo is not None


async def test_a_token_comes_back_as_it_was_stored(database: Database) -> None:
    ann = a_user("ann")
    key = APIKey("abcdefghij", bytes(range(32)), ann.id, "login", MOMENT, MOMENT, None, scopes=["coder:all"])

    def work(connection: Connection) -> None:
        users.create(connection, ann)
        api_keys.create(connection, key)

    await database.write(work)
    assert await database.read(lambda connection: api_keys.get_with_user(connection, key.id)) == (key, ann)


async def test_what_changed_is_kept_in_the_order_of_the_changes(database: Database) -> None:
    def work(connection: Connection) -> None:
        for number in range(3):
            audit.record(
                connection,
                time=MOMENT,
                user_id=None,
                action="write",
                resource_type="group",
                resource_id=number,
                resource_name="ops",
                after={"name": "ops", "members": [number]},
            )

    await database.write(work)
    query = select(audit_log.c.resource_id, audit_log.c.before, audit_log.c.after).order_by(audit_log.c.id)
    rows = await database.read(lambda connection: [tuple(row) for row in connection.execute(query)])
    assert rows == [(str(number), None, {"name": "ops", "members": [number]}) for number in range(3)]


async def test_what_a_write_raises_undoes_it_and_reaches_the_caller(database: Database) -> None:
    def work(connection: Connection) -> None:
        users.create(connection, a_user("ann"))
        raise LookupError("no")

    with pytest.raises(LookupError):
        await database.write(work)
    assert await database.read(users.count) == 0


async def test_a_write_that_fails_takes_nothing_else_with_it(database: Database) -> None:
    def work(connection: Connection, number: int) -> None:
        users.create(connection, a_user(f"user{number}"))
        if number % 2:
            raise LookupError("odd")

    outcomes = await asyncio.gather(
        *(database.write(lambda connection, number=number: work(connection, number)) for number in range(10)),  # type: ignore[misc]
        return_exceptions=True,
    )
    assert [isinstance(outcome, LookupError) for outcome in outcomes] == [bool(number % 2) for number in range(10)]
    assert await database.read(users.count) == 5


@pytest.mark.parametrize(
    "other", [a_user("ANN", "other@example.com"), a_user("other", "Ann@Example.com")], ids=["username", "email"]
)
async def test_names_of_users_are_taken_in_any_case(database: Database, other: User) -> None:
    await database.write(lambda connection: users.create(connection, a_user("ann")))
    with pytest.raises(Duplicate):
        await database.write(lambda connection: users.create(connection, other))


async def test_the_names_of_a_deleted_user_are_free(database: Database) -> None:
    ann = a_user("ann")
    await database.write(lambda connection: users.create(connection, ann))
    await database.write(lambda connection: users.delete(connection, ann.id, MOMENT))
    await database.write(lambda connection: users.create(connection, a_user("ann")))
    assert await database.read(users.count) == 1


async def test_a_transaction_goes_on_after_a_name_that_is_taken(database: Database) -> None:
    home = await an_organization(database)

    def work(connection: Connection) -> None:
        groups.create(connection, a_group(home, "ops"))
        for name in ("ops", "dev"):
            try:
                groups.create(connection, a_group(home, name))
            except Duplicate:
                groups.create(connection, a_group(home, f"{name}-2"))

    await database.write(work)
    found = await database.read(lambda connection: groups.of_organization(connection, home))
    assert {row.name for row in found} == {"Everyone", "ops", "ops-2", "dev"}


async def test_a_group_cannot_be_renamed_to_a_name_that_is_taken(database: Database) -> None:
    home = await an_organization(database)
    ops, dev = a_group(home, "ops"), a_group(home, "dev")
    await database.write(lambda connection: store(connection, ops, dev))
    with pytest.raises(Duplicate):
        await database.write(lambda connection: groups.update_fields(connection, ops.id, {"name": "dev"}))


async def test_of_writers_of_one_name_one_succeeds_and_the_others_find_it_taken(database: Database) -> None:
    home = await an_organization(database)
    outcomes = await asyncio.gather(
        *(database.write(lambda connection: groups.create(connection, a_group(home, "ops"))) for _ in range(20)),
        return_exceptions=True,
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, Duplicate) for outcome in outcomes) == 19


async def test_no_update_is_lost_between_writers_of_one_row(database: Database) -> None:
    home = await an_organization(database)
    ops = a_group(home, "ops")
    await database.write(lambda connection: groups.create(connection, ops))

    def increment(connection: Connection) -> None:
        row = groups.get(connection, ops.id)
        assert row is not None
        groups.update_fields(connection, ops.id, {"quota_allowance": row.quota_allowance + 1})

    await asyncio.gather(*(database.write(increment) for _ in range(40)))
    found = await database.read(lambda connection: groups.get(connection, ops.id))
    assert found is not None
    assert found.quota_allowance == 40


async def test_what_is_decided_from_a_count_holds_although_others_decide_at_the_same_time(database: Database) -> None:
    def create_first(connection: Connection) -> bool:
        if users.count(connection):
            return False
        users.create(connection, a_user(f"user-{uuid4().hex[:8]}"))
        return True

    outcomes = await asyncio.gather(*(database.write(create_first) for _ in range(20)))
    assert outcomes.count(True) == 1
    assert await database.read(users.count) == 1


async def test_a_read_that_takes_two_looks_sees_one_state(database: Database) -> None:
    home = await an_organization(database)
    both = [a_group(home, name) for name in ("first", "second")]

    def together(connection: Connection) -> None:
        for row in both:
            groups.create(connection, row)

    def look(connection: Connection) -> tuple[bool, bool]:
        first = groups.get(connection, both[0].id)
        return first is not None, groups.get(connection, both[1].id) is not None

    async def keep_looking() -> set[tuple[bool, bool]]:
        return {await database.read(look) for _ in range(50)}

    seen, _ = await asyncio.gather(keep_looking(), database.write(together))
    assert seen <= {(False, False), (True, True)}


async def test_a_group_takes_its_memberships_with_it(database: Database) -> None:
    home = await an_organization(database)
    ann, ops = a_user("ann"), a_group(home, "ops")

    def work(connection: Connection) -> None:
        users.create(connection, ann)
        organizations.add_member(connection, home, ann.id, MOMENT)
        groups.create(connection, ops)
        groups.add_members(connection, ops.id, [ann.id])
        groups.remove(connection, ops.id)

    await database.write(work)
    assert await database.read(lambda connection: groups.group_ids_of(connection, ann.id)) == {home}


async def test_users_are_sorted_by_code_point_on_every_database(database: Database) -> None:
    names = ["b", "a-b", "aa", "a1", "A-A"]
    await database.write(lambda connection: store(connection, *map(a_user, names)))
    page = await database.read(lambda connection: users.page(connection, Filter(), None, 0))
    assert [row.username for row in page] == ["A-A", "a-b", "a1", "aa", "b"]


async def test_what_is_searched_for_is_text_and_no_pattern(database: Database) -> None:
    emails = {"ann": "ann_b@example.com", "bob": "annxb@example.com"}
    await database.write(lambda connection: store(connection, *(a_user(*names) for names in emails.items())))
    page = await database.read(lambda connection: users.page(connection, Filter(term="ann_b"), None, 0))
    assert [row.username for row in page] == ["ann"]


async def test_a_page_is_a_part_of_the_list(database: Database) -> None:
    await database.write(lambda connection: store(connection, *(a_user(f"user{n}") for n in range(5))))
    page = await database.read(lambda connection: users.page(connection, Filter(statuses=("active",)), 2, 1))
    assert [row.username for row in page] == ["user1", "user2"]


async def test_who_subscribes_hears_what_is_published(database: Database) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    database.notifications.subscribe("sessions", heard.put_nowait)
    database.notifications.subscribe("sessions-2", lambda _: None)
    await database.notifications.publish("sessions-2", "not for me")
    await database.notifications.publish("sessions", "a b ü")
    async with asyncio.timeout(10):
        while (message := await heard.get()) is None:  # what was published before may have been missed
            await database.notifications.publish("sessions", "a b ü")
    assert message == "a b ü"


async def test_a_message_that_is_too_long_for_one_database_is_refused_on_each(database: Database) -> None:
    with pytest.raises(ValueError, match=str(MAX_MESSAGE)):
        await database.notifications.publish("sessions", "x" * (MAX_MESSAGE + 1))


async def test_a_statement_that_fails_shows_no_parameters(database: Database) -> None:
    key = APIKey("abcdefghij", b"the secret hash", uuid4(), "login", MOMENT, MOMENT, None)
    with pytest.raises(Exception, match=r"foreign key|FOREIGN KEY") as caught:
        await database.write(lambda connection: connection.execute(insert(schema.api_keys), key._asdict()))
    assert "the secret hash" not in str(caught.value)


async def a_session(database: Database, **fields: Any) -> Actor:
    """Of a user with these fields."""
    ann = a_user("ann")._replace(**fields)
    key = APIKey("abcdefghij", bytes(range(32)), ann.id, "login", MOMENT, MOMENT, None, scopes=["coder:all"])

    def work(connection: Connection) -> Actor:
        users.create(connection, ann)
        api_keys.create(connection, key)
        return actors.of(key, ann)

    return await database.write(work)


async def test_a_write_for_somebody_gets_them_as_they_are_then(database: Database) -> None:
    sender = await a_session(database)
    await database.write(lambda connection: users.update_fields(connection, sender.id, {"roles": ["auditor"]}))
    assert sender.roles == {"auditor", "owner"}
    assert (await database.write_as(sender, lambda _, actor: actor)).roles == {"auditor"}


@pytest.mark.parametrize(
    "change", [{"status": "suspended"}, {"deleted": True}, {"token": "gone"}, {"token": "expired"}]
)
async def test_a_write_for_somebody_whose_session_is_over_is_none(database: Database, change: dict[str, Any]) -> None:
    sender = await a_session(database)

    def work(connection: Connection) -> None:
        if change.get("token") == "gone":
            api_keys.remove_of_user(connection, sender.id)
        elif change.get("token") == "expired":
            api_keys.touch(connection, sender.key_id, MOMENT, MOMENT)
        else:
            users.update_fields(connection, sender.id, change)

    await database.write(work)
    with pytest.raises(SessionEnded):
        await database.write_as(sender, lambda connection, _: users.create(connection, a_user("bob")))
    assert await database.read(lambda connection: users.by_username(connection, "bob")) is None


async def test_the_identity_provider_needs_no_session(database: Database) -> None:
    assert await database.write_as(IDENTITY_PROVIDER, lambda _, actor: actor) is IDENTITY_PROVIDER


async def test_members_are_counted_without_those_who_are_deleted(database: Database) -> None:
    home = await an_organization(database)
    ops, empty = a_group(home, "ops"), a_group(home, "empty")
    people = [a_user(f"user{number}") for number in range(3)]

    def work(connection: Connection) -> None:
        store(connection, ops, empty, *people)
        for user in people:
            organizations.add_member(connection, home, user.id, MOMENT)
        groups.add_members(connection, ops.id, [user.id for user in people[1:]])
        users.delete(connection, people[2].id, MOMENT)

    await database.write(work)
    counts = await database.read(lambda connection: groups.member_counts(connection, home))
    assert counts == {home: 2, ops.id: 1}


async def test_one_question_tells_a_group_and_its_members_without_those_who_are_deleted(database: Database) -> None:
    home = await an_organization(database)
    ops, empty = a_group(home, "ops"), a_group(home, "empty")
    people = [a_user(f"user{number}") for number in range(3)]

    def work(connection: Connection) -> None:
        store(connection, ops, empty, *people)
        groups.add_members(connection, ops.id, [user.id for user in people])
        users.delete(connection, people[2].id, MOMENT)

    await database.write(work)
    group, members = await database.read(groups.with_members(ops.id)) or (None, [])
    assert group == await database.read(lambda connection: groups.get(connection, ops.id))
    assert sorted(members) == sorted(await database.read(lambda connection: groups.members(connection, ops)))
    assert {user.username for user in members} == {"user0", "user1"}
    assert await database.read(groups.with_members(empty.id)) == (
        await database.read(lambda connection: groups.get(connection, empty.id)),
        [],
    )
    assert await database.read(groups.with_members(uuid4())) is None


async def test_the_oldest_with_a_role_is_found(database: Database) -> None:
    rows = [
        a_user("cid")._replace(roles=["owner"], created_at=MOMENT + timedelta(days=2)),
        a_user("bob")._replace(roles=["owner"], created_at=MOMENT + timedelta(days=1)),
        a_user("ann")._replace(roles=["auditor"]),
    ]
    await database.write(lambda connection: store(connection, *rows))
    assert await database.read(lambda connection: users.oldest(connection, "owner")) == rows[1]
