"""Organizations: how they are named, and whose they are."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.support.api import OWNER, UNKNOWN_ID, Client, checked, refused


async def test_there_is_a_default_one_with_all_documented_fields(owner: Client) -> None:
    found = checked(await owner.get("/organizations/default"))
    expected = {"id", "name", "display_name", "description", "icon", "is_default", "created_at", "updated_at"}
    assert set(found) == expected
    assert (found["name"], found["display_name"], found["is_default"]) == ("coder", "Coder", True)


@pytest.mark.parametrize("reference", [str(UUID(int=0)), "coder", "CODER", "id", "ID", "dash-less"])
async def test_it_is_found_in_each_way(owner: Client, reference: str) -> None:
    default = checked(await owner.get("/organizations/default"))
    spelled = {"id": default["id"], "ID": default["id"].upper(), "dash-less": default["id"].replace("-", "")}
    assert checked(await owner.get(f"/organizations/{spelled.get(reference, reference)}")) == default


@pytest.mark.parametrize("reference", ["unknown", UNKNOWN_ID, "Default", "%25", "' OR 1=1 --"])
async def test_an_unknown_one_is_not_found(owner: Client, reference: str) -> None:
    refused(await owner.get(f"/organizations/{reference}"), 404)


async def test_the_list_and_those_of_a_user_hold_it(owner: Client, member: Client) -> None:
    default = checked(await owner.get("/organizations/default"))
    for url in ("/organizations", "/users/me/organizations", f"/users/{OWNER}/organizations"):
        assert (await owner.get(url)).json() == [default]
    assert (await member.get("/users/me/organizations")).json() == [default]


async def test_one_of_a_user_is_found_by_its_name(owner: Client, member: Client) -> None:
    default = checked(await owner.get("/organizations/default"))
    assert (default["description"], default["icon"]) == ("", "")
    assert checked(await member.get("/users/me/organizations/Coder")) == default
    refused(await member.get("/users/me/organizations/other"), 404)
    assert (await owner.delete(f"/organizations/default/members/{member.user_id}")).status_code == 204
    refused(await member.get("/users/me/organizations/coder"), 404)


async def test_those_of_a_user_whom_one_may_not_see_are_refused(member: Client) -> None:
    refused(await member.get(f"/users/{OWNER}/organizations"), 400)
