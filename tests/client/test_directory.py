"""Shared lists: loaded once for many, never older than our own writes, and looked up as Coder looks up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.indexes import GroupIndex, UserIndex
from coder_enterprise.client.snapshots import Snapshot
from tests.support.scripted import NOT_FOUND, Scripted

ID: Final = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
ORGANIZATION: Final = "7c60d51f-b44e-4682-87d6-449835ea4de6"


class Loads:
    """A list that is loaded when the test says so."""

    def __init__(self) -> None:
        self.started: list[asyncio.Future[list[str]]] = []

    async def load(self) -> list[str]:
        future: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.started.append(future)
        return await future

    def finish(self, number: int, *values: str) -> None:
        self.started[number].set_result(list(values))


async def turns() -> None:
    """Let every task that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def snapshot(loads: Loads) -> Snapshot[list[str]]:
    return Snapshot(loads.load)


async def loaded(snapshot: Snapshot[list[str]], loads: Loads, *values: str) -> None:
    task = asyncio.create_task(snapshot.get())
    await turns()
    loads.finish(-1, *values)
    await task


async def test_one_load_serves_all_who_wait(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    waiters = [asyncio.create_task(snapshot.get()) for _ in range(50)]
    await turns()
    loads.finish(0, "a")
    assert await asyncio.gather(*waiters) == [["a"]] * 50
    assert len(loads.started) == 1
    assert await snapshot.get() == ["a"]


async def test_a_list_that_is_too_old_is_loaded_again(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    await loaded(snapshot, loads, "old")
    task = asyncio.create_task(snapshot.get(newer_than=now()))
    await turns()
    loads.finish(1, "new")
    assert await task == ["new"]


async def test_a_load_that_began_too_early_does_not_serve(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    early = asyncio.create_task(snapshot.get())
    await turns()
    late = asyncio.create_task(snapshot.get(newer_than=now()))
    await turns()
    loads.finish(0, "old")
    assert await early == ["old"]
    await turns()
    loads.finish(1, "new")
    assert await late == ["new"]


async def test_an_error_reaches_all_who_wait_and_the_next_loads_again(
    snapshot: Snapshot[list[str]], loads: Loads
) -> None:
    waiters = [asyncio.create_task(snapshot.get()) for _ in range(3)]
    await turns()
    loads.started[0].set_exception(errors.Unreachable("gone"))
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert [type(result) for result in results] == [errors.Unreachable] * 3
    await loaded(snapshot, loads, "a")
    assert await snapshot.get() == ["a"]


async def test_an_error_does_not_lose_the_list_that_is_known(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    await loaded(snapshot, loads, "a")
    task = asyncio.create_task(snapshot.get(newer_than=now()))
    await turns()
    loads.started[1].set_exception(errors.Unreachable("gone"))
    with pytest.raises(errors.Unreachable):
        await task
    assert await snapshot.get() == ["a"]


async def test_who_gives_up_waiting_does_not_stop_the_load(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    impatient, patient = (asyncio.create_task(snapshot.get()) for _ in range(2))
    await turns()
    impatient.cancel()
    await turns()
    loads.finish(0, "a")
    assert await patient == ["a"]
    assert len(loads.started) == 1


async def test_a_load_for_nobody_is_kept_for_the_next(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    task = asyncio.create_task(snapshot.get())
    await turns()
    task.cancel()
    await turns()
    loads.finish(0, "a")
    await turns()
    assert snapshot.value == ["a"]


async def test_a_list_that_expires_while_it_is_loaded_is_loaded_again(
    snapshot: Snapshot[list[str]], loads: Loads
) -> None:
    early = asyncio.create_task(snapshot.get())
    await turns()
    snapshot.expire()
    late = asyncio.create_task(snapshot.get())
    await turns()
    loads.finish(0, "old")
    await turns()
    assert snapshot.value is None
    loads.finish(1, "new")
    assert [await early, await late] == [["new"], ["new"]]
    assert len(loads.started) == 2


async def test_the_late_end_of_an_expired_load_changes_nothing(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    early = asyncio.create_task(snapshot.get())
    await turns()
    snapshot.expire()
    late = asyncio.create_task(snapshot.get())
    await turns()
    loads.finish(1, "new")
    assert await late == ["new"]
    loads.finish(0, "old")
    assert await early == ["new"]
    assert snapshot.value == ["new"]


async def test_a_write_during_a_load_is_not_forgotten(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    await loaded(snapshot, loads, "a")
    task = asyncio.create_task(snapshot.get(newer_than=now()))
    await turns()
    snapshot.change(lambda value: value.append("ours"))
    assert snapshot.value == ["a", "ours"]
    loads.finish(1, "a")
    assert await task == ["a", "ours"]


async def test_a_write_is_not_repeated_on_later_lists(snapshot: Snapshot[list[str]], loads: Loads) -> None:
    for number, expected in enumerate((["a", "ours"], ["a"])):
        task = asyncio.create_task(snapshot.get(newer_than=now()))
        await turns()
        if number == 0:
            snapshot.change(lambda value: value.append("ours"))
        loads.finish(number, "a")
        assert await task == expected


# Users


def user(user_id: str, username: str, email: str = "") -> records.User:
    return records.User(id=user_id, username=username, email=email)


@pytest.mark.parametrize(
    "reference",
    [
        ID,
        ID.upper(),
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        "ann",
        "ANN",
        "ann@example.com",
        "Ann@Example.COM",
    ],
)
def test_a_user_is_found_by_id_name_and_e_mail_in_any_spelling(reference: str) -> None:
    ann = user(ID, "Ann", "Ann@example.com")
    assert UserIndex([user("other", "bob", "bob@example.com"), ann]).find(reference) == ann


@pytest.mark.parametrize("reference", ["", "an", "ann@", "example.com", ID[:-1] + "0"])
def test_nobody_is_found_by_a_part_of_a_name(reference: str) -> None:
    assert UserIndex([user(ID, "ann", "ann@example.com")]).find(reference) is None


def test_a_user_without_an_e_mail_is_not_found_by_none() -> None:
    assert UserIndex([user(ID, "ann")]).find("") is None


def test_letters_that_only_fold_to_the_same_are_two_people() -> None:
    index = UserIndex([user("1", "a", "straße@example.com"), user("2", "b", "strasse@example.com")])
    found = [index.find("straße@example.com"), index.find("strasse@example.com")]
    assert [one.id if one else None for one in found] == ["1", "2"]


def test_a_name_that_looks_like_an_id_without_dashes_is_a_name_first() -> None:
    index = UserIndex([user(ID, "ann"), user("2", ID.replace("-", ""))])
    found = index.find(ID.replace("-", ""))
    assert found is not None
    assert found.id == "2"


# Groups


def group(group_id: str, name: str, organization_id: str = ORGANIZATION) -> records.Group:
    return records.Group(id=group_id, name=name, organization_id=organization_id)


def test_two_groups_may_swap_their_names() -> None:
    index = GroupIndex([group("1", "a"), group("2", "b")])
    index.put(group("1", "b"))
    index.put(group("2", "a"))
    assert {name: found.id for name, found in index.by_name.items()} == {"a": "2", "b": "1"}


def test_the_names_of_groups_are_exact() -> None:
    assert GroupIndex([group("1", "Platform")]).by_name.get("platform") is None


CHANGES = st.lists(st.tuples(st.sampled_from("123"), st.sampled_from(["a", "b", None])))


@given(CHANGES)
def test_an_index_agrees_with_itself(changes: list[tuple[str, str | None]]) -> None:
    index = GroupIndex(())
    for group_id, name in changes:
        if name is None:
            index.drop(group_id)
        else:
            index.put(group(group_id, name))
        for key, found in index.by_name.items():
            assert index.by_id[found.id] is found
            assert found.name == key
    assert {found.name for found in index.by_id.values()} >= set(index.by_name)


async def test_our_own_writes_show_in_the_shared_list(server: Scripted, client: CoderClient) -> None:
    directory = Directory(client)
    server.answer(f"/organizations/{ORGANIZATION}/groups", [{"id": "1", "name": "a", "organization_id": ORGANIZATION}])
    index = await directory.groups(ORGANIZATION).get()
    directory.put_group(group("2", "b"))
    directory.put_group(group("1", "c"))
    directory.drop_group("3")
    assert {found.name for found in index.by_id.values()} == {"b", "c"}
    directory.drop_group("2")
    assert "b" not in index.by_name
    assert len(server.asked) == 1


async def test_everything_is_read_anew_after_it_expired(server: Scripted, client: CoderClient) -> None:
    directory = Directory(client)
    server.answer("/users", {"users": [], "count": 0})
    server.answer("/organizations/default", {"id": ORGANIZATION, "name": "coder"})
    server.answer(f"/organizations/{ORGANIZATION}/groups", [])
    for _ in range(2):
        for _ in range(2):
            await directory.users.get()
            await directory.groups((await directory.organization("default")).id).get()
        directory.expire()
    assert len(server.asked) == 6


# Organizations


def old_server(server: Scripted, reference: str, *organizations: dict[str, Any]) -> None:
    """Below Coder 2.9: an id is needed, and no organization is marked as the default."""
    server.answer(f"/organizations/{reference}", {"message": "Invalid UUID."}, status=400)
    server.answer("/users/me/organizations", list(organizations))


def organization(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": ORGANIZATION, "name": name} | fields


@pytest.mark.parametrize("reference", ["acme", "ACME", "default"])
async def test_an_old_server_finds_its_organization_by_name(
    server: Scripted, client: CoderClient, reference: str
) -> None:
    old_server(server, reference, organization("Acme"))
    assert (await Directory(client).organization(reference)).id == ORGANIZATION


async def test_the_marked_organization_is_the_default(server: Scripted, client: CoderClient) -> None:
    old_server(server, "default", organization("other", id="2"), organization("acme", is_default=True))
    assert (await Directory(client).organization("default")).id == ORGANIZATION


REFUSALS: Final[list[tuple[int, dict[str, str], Callable[..., Any]]]] = [
    (400, {"message": "Invalid UUID."}, errors.BadRequest),
    (404, NOT_FOUND, errors.NotFound),
]


@pytest.mark.parametrize(("status", "body", "expected"), REFUSALS)
async def test_an_organization_that_is_not_there_is_refused_in_the_servers_words(
    server: Scripted, client: CoderClient, status: int, body: dict[str, str], expected: type[errors.APIError]
) -> None:
    old_server(server, "missing", organization("acme"))
    server.answer("/organizations/missing", body, status=status)
    with pytest.raises(expected):
        await Directory(client).organization("missing")


async def test_a_missing_organization_is_asked_for_again_after_a_while(
    server: Scripted, client: CoderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coder_enterprise.client.directory.UNKNOWN_FOR", 0.0)
    old_server(server, "acme", organization("other"))
    directory = Directory(client)
    with pytest.raises(errors.BadRequest):
        await directory.organization("acme")
    server.answer("/organizations/acme", organization("acme"))
    assert (await directory.organization("acme")).name == "acme"


async def test_an_outage_does_not_look_like_a_missing_organization(server: Scripted, client: CoderClient) -> None:
    server.answer("/organizations/acme", status=502, text="bad gateway")
    with pytest.raises(errors.ServerError):
        await Directory(client).organization("acme")
    assert server.paths() == ["/organizations/acme"]


async def test_a_missing_organization_is_asked_for_once_by_all_who_wait(server: Scripted, client: CoderClient) -> None:
    old_server(server, "missing", organization("acme"))
    directory = Directory(client)
    for _ in range(3):
        with pytest.raises(errors.BadRequest):
            await directory.organization("missing")
    assert server.paths().count("/organizations/missing") == 1


async def test_an_organization_that_was_missing_is_found_after_a_resync(server: Scripted, client: CoderClient) -> None:
    old_server(server, "acme", organization("other"))
    directory = Directory(client)
    with pytest.raises(errors.BadRequest):
        await directory.organization("acme")
    server.answer("/organizations/acme", organization("acme"))
    directory.expire()
    assert (await directory.organization("acme")).id == ORGANIZATION


# Our own writes to users


async def test_a_user_who_was_renamed_is_found_by_the_new_name_only(server: Scripted, client: CoderClient) -> None:
    ann = {"id": "u1", "username": "ann", "email": "ann@example.com"}
    server.answer("/users", {"users": [ann], "count": 1})
    directory = Directory(client)
    users = await directory.users.get()
    directory.put_user(records.User(id="u1", username="annie", email="ann@example.com"))
    assert (users.find("ann"), users.find("annie")) == (None, users.find("ann@example.com"))
    directory.drop_user("u1")
    assert (users.find("annie"), users.find("ann@example.com"), users.find("u1")) == (None, None, None)


def test_a_name_that_is_another_users_by_now_stays_theirs() -> None:
    users = UserIndex([records.User(id="u1", username="ann"), records.User(id="u2", username="bob")])
    users.put(records.User(id="u2", username="ann"))
    users.drop("u1")
    found = users.find("ann")
    assert found is not None
    assert found.id == "u2"
