"""Groups: the six endpoints, and the rules of membership."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.api import OWNER, UNKNOWN_ID, Body, Client, checked, create_group, create_user, refused

GROUPS = "/organizations/default/groups"
FIELDS = {
    "id",
    "name",
    "display_name",
    "organization_id",
    "members",
    "avatar_url",
    "quota_allowance",
    "source",
}


async def everyone(client: Client) -> Body:
    return checked(await client.get(f"{GROUPS}/Everyone"))


async def read(client: Client, group: Body) -> Body:
    return checked(await client.get(f"/groups/{group['id']}"))


async def patch(client: Client, group: Body, **fields: Any) -> Body:
    return checked(await client.patch(f"/groups/{group['id']}", json=fields))


def names(group: Body) -> set[str]:
    return {member["username"] for member in group["members"]}


# Reading


async def test_a_group_has_all_documented_fields_and_no_members_at_first(owner: Client) -> None:
    answer = await owner.post(GROUPS, json={"name": "platform"})
    assert answer.status_code == 201
    assert "location" not in answer.headers
    made = checked(answer)
    organization = checked(await owner.get("/organizations/default"))["id"]
    UUID(made.pop("id"))
    assert made == {
        "name": "platform",
        "display_name": "",
        "organization_id": organization,
        "members": [],
        "avatar_url": "",
        "quota_allowance": 0,
        "source": "user",
    }


async def test_a_group_is_the_same_by_id_by_name_and_in_the_list(owner: Client) -> None:
    made = await create_group(
        owner, "platform", display_name="Platform", avatar_url="/emojis/1f680.png", quota_allowance=7
    )
    made = await patch(owner, made, add_users=[owner.user_id])
    assert set(made) == FIELDS
    assert await read(owner, made) == made
    assert checked(await owner.get(f"{GROUPS}/platform")) == made
    listed = (await owner.get(GROUPS)).json()
    assert [group for group in listed if group["name"] == "platform"] == [made]


@pytest.mark.parametrize("reference", ["default", str(UUID(int=0)), "coder", "id"])
async def test_the_organization_may_be_named_in_each_way(owner: Client, reference: str) -> None:
    made = await create_group(owner, "platform")
    organization = made["organization_id"] if reference == "id" else reference
    assert checked(await owner.get(f"/organizations/{organization}/groups/platform")) == made
    assert len((await owner.get(f"/organizations/{organization}/groups")).json()) == 2


async def test_a_member_is_a_whole_user_of_that_organization(owner: Client) -> None:
    group = await patch(owner, await create_group(owner, "platform"), add_users=[owner.user_id])
    assert group["members"] == [checked(await owner.get("/users/me"))]
    assert group["members"][0]["organization_ids"] == [group["organization_id"]]


async def test_a_name_is_found_in_its_own_case_only(owner: Client) -> None:
    await create_group(owner, "platform")
    refused(await owner.get(f"{GROUPS}/Platform"), 404)
    await create_group(owner, "Platform")
    assert checked(await owner.get(f"{GROUPS}/Platform"))["name"] == "Platform"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_unknown_group_is_not_found(owner: Client, method: str) -> None:
    body: Body | None = {} if method == "PATCH" else None
    assert set(refused(await owner.request(method, f"/groups/{uuid4()}", json=body), 404)) == {"message"}


@pytest.mark.parametrize(
    "reference",
    [
        "platform",
        "1",
        "0" * 31,
        "0" * 33,
        "+" + "0" * 31,
        " " * 12 + "1" * 20,
        "0_" * 16,
        "g" * 32,
        "\u0660" * 32,
        "0-" * 32,
        "{" + "0" * 32 + "}",
        "' OR 1=1 --",
    ],
)
async def test_what_is_no_id_is_a_bad_request_that_repeats_it(owner: Client, reference: str) -> None:
    await create_group(owner, "platform")
    for method in ("GET", "PATCH", "DELETE"):
        body: Body | None = {} if method == "PATCH" else None
        answer = refused(await owner.request(method, f"/groups/{reference}", json=body), 400)
        assert repr(reference) in answer["message"]


@pytest.mark.parametrize("spelling", ["{0}", "urn:uuid:{0}", "{{{0}}}"])
async def test_an_id_may_be_spelled_in_each_way(owner: Client, spelling: str) -> None:
    made = await create_group(owner, "platform")
    for text in (made["id"], made["id"].upper()):
        assert checked(await owner.get(f"/groups/{spelling.format(text)}")) == made
    assert checked(await owner.get(f"/groups/{made['id'].replace('-', '')}")) == made


@pytest.mark.parametrize("reference", ["unknown", UNKNOWN_ID])
async def test_an_unknown_organization_is_not_found(owner: Client, reference: str) -> None:
    refused(await owner.get(f"/organizations/{reference}/groups"), 404)
    refused(await owner.get(f"/organizations/{reference}/groups/Everyone"), 404)
    refused(await owner.post(f"/organizations/{reference}/groups", json={"name": "a"}), 404)


# Everyone


async def test_everyone_has_the_organizations_id_and_members(owner: Client, member: Client) -> None:
    group = await everyone(owner)
    assert group["id"] == group["organization_id"]
    assert (group["name"], group["display_name"]) == ("Everyone", "")
    assert {user["id"] for user in group["members"]} == {owner.user_id, member.user_id}
    assert await read(owner, group) == group


async def test_everyone_changes_its_quota_and_its_avatar(owner: Client) -> None:
    changed = await patch(owner, await everyone(owner), quota_allowance=5, avatar_url="/a.png")
    assert (changed["quota_allowance"], changed["avatar_url"]) == (5, "/a.png")


async def test_everyone_may_be_patched_with_the_name_it_has(owner: Client) -> None:
    before = await everyone(owner)
    assert await patch(owner, before, name="Everyone", display_name="", add_users=[], remove_users=[]) == before


@pytest.mark.parametrize("name", ["everyone", "staff"])
async def test_everyone_cannot_be_renamed(owner: Client, name: str) -> None:
    refused(await owner.patch(f"/groups/{(await everyone(owner))['id']}", json={"name": name}), 400)


async def test_everyone_cannot_have_a_display_name(owner: Client) -> None:
    refused(await owner.patch(f"/groups/{(await everyone(owner))['id']}", json={"display_name": "All"}), 400)


@pytest.mark.parametrize("field", ["add_users", "remove_users"])
async def test_the_members_of_everyone_cannot_be_changed(owner: Client, field: str) -> None:
    before = await everyone(owner)
    refused(await owner.patch(f"/groups/{before['id']}", json={field: [owner.user_id], "quota_allowance": 1}), 403)
    assert await everyone(owner) == before


async def test_everyone_cannot_be_deleted(owner: Client) -> None:
    before = await everyone(owner)
    refused(await owner.delete(f"/groups/{before['id']}"), 400)
    assert await everyone(owner) == before


async def test_no_other_group_is_named_everyone(owner: Client) -> None:
    refused(await owner.post(GROUPS, json={"name": "Everyone"}), 400, "name")
    group = await create_group(owner, "platform")
    refused(await owner.patch(f"/groups/{group['id']}", json={"name": "Everyone"}), 400, "name")


# Names and numbers


@pytest.mark.parametrize("name", ["a", "A1", "a-b-c", "x" * 255, "everyone", "news", "0"])
async def test_a_name_of_the_form_is_accepted(owner: Client, name: str) -> None:
    assert (await create_group(owner, name))["name"] == name


@pytest.mark.parametrize(
    "name", ["", "x" * 256, "a b", "-a", "a-", "a--b", "a_b", "é", "a/b", "a\n", "new", "create", "<a>", "٣", "a\u200b"]
)
async def test_any_other_name_is_refused(owner: Client, name: str) -> None:
    refused(await owner.post(GROUPS, json={"name": name}), 400, "name")
    if name:
        group = await create_group(owner, "platform")
        refused(await owner.patch(f"/groups/{group['id']}", json={"name": name}), 400, "name")
        assert await read(owner, group) == group


async def test_a_name_is_required(owner: Client) -> None:
    refused(await owner.post(GROUPS, json={"display_name": "A"}), 400, "name")


async def test_a_name_that_is_taken_is_a_conflict(owner: Client) -> None:
    await create_group(owner, "platform")
    refused(await owner.post(GROUPS, json={"name": "platform"}), 409, "name")
    other = await create_group(owner, "other")
    refused(await owner.patch(f"/groups/{other['id']}", json={"name": "platform", "quota_allowance": 9}), 409, "name")
    assert await read(owner, other) == other


async def test_of_many_equal_names_at_once_one_is_made(owner: Client) -> None:
    answers = await asyncio.gather(*(owner.post(GROUPS, json={"name": "a"}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


@pytest.mark.parametrize("display_name", ["x" * 64, "Pl\u00e4ttform <3 & 🚀", ""])
async def test_a_display_name_is_any_text(owner: Client, display_name: str) -> None:
    assert (await create_group(owner, "a", display_name=display_name))["display_name"] == display_name


@pytest.mark.parametrize("display_name", ["x" * 65, " x", "x ", " ", "x\n", "\u3000x"])
async def test_a_display_name_that_is_too_long_or_has_space_at_its_ends_is_refused(
    owner: Client, display_name: str
) -> None:
    refused(await owner.post(GROUPS, json={"name": "a", "display_name": display_name}), 400, "display_name")


async def test_an_endless_avatar_url_is_refused(owner: Client) -> None:
    refused(await owner.post(GROUPS, json={"name": "a", "avatar_url": "x" * 2049}), 400, "avatar_url")


@pytest.mark.parametrize("quota", [-(2**31), -1, 0, 2**31 - 1])
async def test_a_quota_has_32_bits_with_a_sign(owner: Client, quota: int) -> None:
    group = await create_group(owner, "a", quota_allowance=quota)
    assert group["quota_allowance"] == quota
    assert (await patch(owner, group, quota_allowance=0))["quota_allowance"] == 0


@pytest.mark.parametrize("quota", [2**31, -(2**31) - 1, 2**63, 10**100])
async def test_a_quota_of_more_bits_is_refused(owner: Client, quota: int) -> None:
    refused(await owner.post(GROUPS, json={"name": "a", "quota_allowance": quota}), 400, "quota_allowance")
    group = await create_group(owner, "a")
    refused(await owner.patch(f"/groups/{group['id']}", json={"quota_allowance": quota}), 400, "quota_allowance")


async def test_every_broken_rule_is_named_at_once(owner: Client) -> None:
    body = {"name": "a b", "display_name": " ", "avatar_url": "x" * 2049, "quota_allowance": 2**31}
    refused(await owner.post(GROUPS, json=body), 400, *body)


# Changing


async def test_what_a_patch_does_not_name_is_kept(owner: Client) -> None:
    group = await create_group(owner, "a", display_name="A", avatar_url="/a.png", quota_allowance=3)
    assert await patch(owner, group) == group
    assert await patch(owner, group, quota_allowance=4) == group | {"quota_allowance": 4}


async def test_an_empty_name_keeps_and_other_empty_fields_clear(owner: Client) -> None:
    group = await create_group(owner, "a", display_name="A", avatar_url="/a.png", quota_allowance=3)
    changed = await patch(owner, group, name="", display_name="", avatar_url="", quota_allowance=0)
    assert changed == group | {"display_name": "", "avatar_url": "", "quota_allowance": 0}


async def test_a_rename_keeps_the_id_and_frees_the_name(owner: Client) -> None:
    group = await create_group(owner, "a")
    assert await patch(owner, group, name="b") == group | {"name": "b"}
    refused(await owner.get(f"{GROUPS}/a"), 404)
    await create_group(owner, "a")


async def test_the_name_a_group_has_already_is_no_change(owner: Client) -> None:
    group = await create_group(owner, "a")
    assert await patch(owner, group, name="a") == group


async def test_members_are_added_and_removed_by_difference(owner: Client) -> None:
    ann, bob, cid = [(await create_user(owner, name))["id"] for name in ("ann", "bob", "cid")]
    group = await create_group(owner, "a")
    assert names(await patch(owner, group, add_users=[ann, bob])) == {"ann", "bob"}
    assert names(await patch(owner, group, add_users=[cid], remove_users=[ann])) == {"bob", "cid"}
    assert names(await patch(owner, group, remove_users=[bob, cid])) == set()


async def test_to_add_a_member_again_is_refused_and_undoes_the_whole_patch(owner: Client) -> None:
    ann, bob = [(await create_user(owner, name))["id"] for name in ("ann", "bob")]
    group = await patch(owner, await create_group(owner, "a"), add_users=[ann])
    body = {"name": "b", "quota_allowance": 9, "add_users": [bob, ann], "remove_users": [ann]}
    refused(await owner.patch(f"/groups/{group['id']}", json=body), 400)
    assert await read(owner, group) == group


async def test_an_id_twice_is_refused_in_whatever_spelling(owner: Client) -> None:
    ann = (await create_user(owner, "ann"))["id"]
    group = await create_group(owner, "a")
    for twice in ([ann, ann], [ann, ann.upper()], [ann, ann.replace("-", "")]):
        refused(await owner.patch(f"/groups/{group['id']}", json={"add_users": twice}), 400)
    assert await read(owner, group) == group


async def test_an_id_in_both_lists_ends_absent(owner: Client) -> None:
    ann = (await create_user(owner, "ann"))["id"]
    group = await create_group(owner, "a")
    assert names(await patch(owner, group, add_users=[ann], remove_users=[ann])) == set()


async def test_to_remove_somebody_who_is_no_member_is_no_error(owner: Client) -> None:
    ann = (await create_user(owner, "ann"))["id"]
    group = await create_group(owner, "a")
    assert await patch(owner, group, remove_users=[ann, ann]) == group


@pytest.mark.parametrize("field", ["add_users", "remove_users"])
@pytest.mark.parametrize("reference", ["ann", "", "me", "ann@example.com", UNKNOWN_ID, "' OR 1=1 --"])
async def test_who_is_not_in_the_organization_or_no_id_is_refused_and_nothing_changes(
    owner: Client, field: str, reference: str
) -> None:
    bob = (await create_user(owner, "bob"))["id"]
    group = await create_group(owner, "a")
    body = {"name": "b", field: [bob, reference]}
    refused(await owner.patch(f"/groups/{group['id']}", json=body), 400)
    assert await read(owner, group) == group


async def test_as_many_members_as_fit_into_a_body_are_read(owner: Client) -> None:
    group = await create_group(owner, "a")
    ids = [UUID(int=number).hex for number in range(29_000)]
    for field in ("add_users", "remove_users"):
        refused(await owner.patch(f"/groups/{group['id']}", json={field: ids}), 400)


async def test_a_member_added_by_many_at_once_is_added_once(owner: Client) -> None:
    ann = (await create_user(owner, "ann"))["id"]
    group = await create_group(owner, "a")
    patches = (owner.patch(f"/groups/{group['id']}", json={"add_users": [ann]}) for _ in range(8))
    assert sorted(answer.status_code for answer in await asyncio.gather(*patches)) == [200] + [400] * 7
    assert names(await read(owner, group)) == {"ann"}


async def test_suspended_and_dormant_members_are_listed_and_deleted_ones_hidden(owner: Client) -> None:
    ids = [(await create_user(owner, name))["id"] for name in ("dormant", "suspended", "deleted")]
    group = await patch(owner, await create_group(owner, "a"), add_users=ids)
    checked(await owner.put("/users/suspended/status/suspend"))
    checked(await owner.delete("/users/deleted"))
    assert names(await read(owner, group)) == {"dormant", "suspended"}
    assert names(await everyone(owner)) == {"dormant", "suspended", OWNER}
    listed = {item["name"]: names(item) for item in (await owner.get(GROUPS)).json()}
    assert listed == {"a": {"dormant", "suspended"}, "Everyone": {"dormant", "suspended", OWNER}}


async def test_delete_answers_the_group_as_it_was_and_the_second_one_finds_none(owner: Client) -> None:
    group = await patch(owner, await create_group(owner, "a"), add_users=[owner.user_id])
    answer = await owner.delete(f"/groups/{group['id']}")
    assert (answer.status_code, answer.json()) == (200, group)
    refused(await owner.delete(f"/groups/{group['id']}"), 404)
    refused(await owner.get(f"/groups/{group['id']}"), 404)
    refused(await owner.get(f"{GROUPS}/a"), 404)


async def test_a_group_of_a_deleted_ones_name_has_none_of_its_members(owner: Client) -> None:
    group = await patch(owner, await create_group(owner, "a"), add_users=[owner.user_id])
    checked(await owner.delete(f"/groups/{group['id']}"))
    assert (await create_group(owner, "a"))["members"] == []


# Roles


async def test_owners_and_user_admins_write_groups(owner: Client, user_admin: Client) -> None:
    for client in (owner, user_admin):
        group = await create_group(client, "a")
        await patch(client, group, name="b", add_users=[owner.user_id])
        checked(await client.delete(f"/groups/{group['id']}"))


async def test_template_admins_and_auditors_read_groups_and_write_none(
    owner: Client, template_admin: Client, auditor: Client
) -> None:
    group = await create_group(owner, "a")
    for client in (template_admin, auditor):
        assert await read(client, group) == group
        assert checked(await client.get(f"{GROUPS}/a")) == group
        assert len((await client.get(GROUPS)).json()) == 2
        refused(await client.post(GROUPS, json={"name": "b"}), 403)
        refused(await client.patch(f"/groups/{group['id']}", json={"name": "b"}), 403)
        refused(await client.delete(f"/groups/{group['id']}"), 403)
    assert await read(owner, group) == group


async def test_a_member_sees_everyone_and_the_groups_they_are_in(owner: Client, member: Client) -> None:
    await create_group(owner, "other")
    own = await patch(owner, await create_group(owner, "own"), add_users=[member.user_id])
    assert {group["name"] for group in (await member.get(GROUPS)).json()} == {"Everyone", "own"}
    assert await read(member, own) == own
    assert checked(await member.get(f"{GROUPS}/own")) == own
    assert (await everyone(member))["name"] == "Everyone"


async def test_a_group_that_a_member_is_not_in_looks_like_one_that_is_not_there(owner: Client, member: Client) -> None:
    group = await create_group(owner, "other")
    missing = refused(await member.get(f"/groups/{uuid4()}"), 404)
    assert refused(await member.get(f"/groups/{group['id']}"), 404) == missing
    assert refused(await member.get(f"{GROUPS}/other"), 404) == missing
    assert refused(await member.patch(f"/groups/{group['id']}", json={"name": "x"}), 404) == missing
    assert refused(await member.delete(f"/groups/{group['id']}"), 404) == missing


async def test_a_member_writes_no_group_not_even_their_own(owner: Client, member: Client) -> None:
    own = await patch(owner, await create_group(owner, "own"), add_users=[member.user_id])
    refused(await member.post(GROUPS, json={"name": "b"}), 403)
    refused(await member.patch(f"/groups/{own['id']}", json={"remove_users": [member.user_id]}), 403)
    refused(await member.delete(f"/groups/{own['id']}"), 403)
    assert await read(owner, own) == own


async def test_a_member_who_is_removed_does_not_see_the_group_any_more(owner: Client, member: Client) -> None:
    own = await patch(owner, await create_group(owner, "own"), add_users=[member.user_id])
    await patch(owner, own, remove_users=[member.user_id])
    refused(await member.get(f"/groups/{own['id']}"), 404)
    assert [group["name"] for group in (await member.get(GROUPS)).json()] == ["Everyone"]
