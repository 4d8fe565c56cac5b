"""Lists over all organizations, with filters: GET /groups and GET /templates."""

from __future__ import annotations

import pytest

from tests.support.api import UNKNOWN_ID, Client, checked, create_group, create_user, refused
from tests.support.templates import create_private_template, create_template, grant


async def names(client: Client, path: str, **filters: str) -> list[str]:
    answer = await client.get(path, params=filters)
    assert answer.status_code == 200, answer.text
    return sorted(item["name"] for item in answer.json())


async def test_groups_are_found_by_organization_member_and_id(owner: Client) -> None:
    ann = await create_user(owner, "ann")
    one, two = await create_group(owner, "one"), await create_group(owner, "two")
    checked(await owner.patch(f"/groups/{one['id']}", json={"add_users": [ann["id"]]}))
    assert await names(owner, "/groups") == ["Everyone", "one", "two"]
    assert await names(owner, "/groups", organization="coder") == ["Everyone", "one", "two"]
    assert await names(owner, "/groups", has_member="ann") == ["Everyone", "one"]
    assert await names(owner, "/groups", group_ids=f"{one['id']},{two['id']}") == ["one", "two"]
    assert await names(owner, "/groups", has_member=ann["id"], group_ids=f"{one['id']},{two['id']}") == ["one"]
    assert (await owner.get("/groups", params={"group_ids": one["id"]})).json()[0]["members"][0]["username"] == "ann"


async def test_a_member_finds_the_groups_that_they_are_in(owner: Client, member: Client) -> None:
    group = await create_group(owner, "one")
    assert await names(member, "/groups") == ["Everyone"]
    checked(await owner.patch(f"/groups/{group['id']}", json={"add_users": [member.user_id]}))
    assert await names(member, "/groups", has_member="me") == ["Everyone", "one"]


@pytest.mark.parametrize(
    ("filters", "fields"),
    [
        ({"organization": "nowhere"}, ["organization"]),
        ({"has_member": UNKNOWN_ID}, []),
        ({"group_ids": "mine"}, []),
        ({"organisation": "coder"}, ["organisation"]),
    ],
    ids=str,
)
async def test_a_filter_that_cannot_be_is_refused(owner: Client, filters: dict[str, str], fields: list[str]) -> None:
    refused(await owner.get("/groups", params=filters), 400, *fields)


async def test_templates_are_found_by_name_author_and_deprecation(owner: Client) -> None:
    await create_template(owner, "docker")
    await create_template(owner, "docker-gpu")
    old = await create_template(owner, "old")
    checked(await owner.patch(f"/templates/{old['id']}", json={"deprecation_message": "use docker"}))
    assert await names(owner, "/templates") == ["docker", "docker-gpu", "old"]
    assert await names(owner, "/templates", q="dock") == ["docker", "docker-gpu"]
    assert await names(owner, "/templates", q="exact_name:Docker organization:coder") == ["docker"]
    assert await names(owner, "/templates", q="deprecated:true") == ["old"]
    assert await names(owner, "/templates", q="deprecated:false") == ["docker", "docker-gpu"]
    assert await names(owner, "/templates", q="gpu author:me") == ["docker-gpu"]
    assert await names(owner, "/templates", q="author:somebody") == []
    refused(await owner.get("/templates", params={"q": "deprecated:maybe"}), 400, "q")
    refused(await owner.get("/templates", params={"q": "organization:nowhere"}), 404)


async def test_a_member_finds_the_templates_that_they_may_use(owner: Client, member: Client) -> None:
    template = await create_private_template(owner, "docker")
    assert await names(member, "/templates") == []
    await grant(owner, template, users={member.user_id: "use"})
    assert await names(member, "/templates") == ["docker"]
