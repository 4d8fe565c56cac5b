"""/templates/{template}/acl: who may use and administer a template."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from coder_enterprise.server.services import default_organization
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage import groups, organizations
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.groups import Group
from tests.support.api import Body, Client, checked, create_group, create_user, refused
from tests.support.templates import as_the_sdk, create_private_template, create_template, grant

USER = {
    "id", "username", "email", "created_at", "last_seen_at", "status", "login_type", "organization_ids", "roles",
    "avatar_url",
}  # fmt: skip
GROUP = {"id", "name", "display_name", "organization_id", "members", "avatar_url", "quota_allowance", "source"}


@pytest.fixture
async def template(owner: Client) -> Body:
    return await create_private_template(owner, "docker")


@pytest.fixture
def sdk(services: Services, owner: Client) -> Client:
    return as_the_sdk(services, owner)


def path(template: Body) -> str:
    return f"/templates/{template['id']}/acl"


async def roles(sdk: Client, template: Body) -> dict[str, dict[str, str]]:
    acl = checked(await sdk.get(path(template)))
    return {kind: {item["id"]: item["role"] for item in items} for kind, items in acl.items()}


async def sees(client: Client, template: Body) -> bool:
    status = (await client.get(f"/templates/{template['id']}")).status_code
    assert status in {200, 404}
    listed = template["id"] in {item["id"] for item in (await client.get("/organizations/default/templates")).json()}
    assert listed == (status == 200)
    return listed


async def test_the_documented_acl_is_the_array_of_its_users(owner: Client, member: Client, template: Body) -> None:
    await grant(owner, template, users={member.user_id: "use"}, groups={template["organization_id"]: "use"})
    answer = await owner.get(path(template))
    assert answer.status_code == 200
    (user,) = answer.json()
    assert set(user) == USER | {"role"}
    assert (user["id"], user["role"]) == (member.user_id, "use")


async def test_the_sdk_gets_users_and_group(sdk: Client, owner: Client, member: Client, template: Body) -> None:
    group = await create_group(owner, "platform")
    await grant(owner, template, users={member.user_id: "admin"}, groups={group["id"]: "use"})
    acl = checked(await sdk.get(path(template)))
    assert set(acl) == {"users", "group"}
    assert set(acl["group"][0]) >= GROUP | {"role"}
    assert await roles(sdk, template) == {"users": {member.user_id: "admin"}, "group": {group["id"]: "use"}}


async def test_a_new_template_is_for_everyone(sdk: Client, owner: Client, member: Client) -> None:
    template = await create_template(owner, "docker")
    assert await roles(sdk, template) == {"users": {}, "group": {template["organization_id"]: "use"}}
    assert await sees(member, template)


async def test_a_template_can_be_made_for_nobody(sdk: Client, member: Client, template: Body) -> None:
    assert await roles(sdk, template) == {"users": {}, "group": {}}
    assert not await sees(member, template)


async def test_everyones_access_is_taken_away_and_given_back(owner: Client, member: Client) -> None:
    template = await create_template(owner, "docker")
    await grant(owner, template, groups={template["organization_id"]: ""})
    assert not await sees(member, template)
    await grant(owner, template, groups={template["organization_id"]: "use"})
    assert await sees(member, template)


async def test_a_patch_answers_with_the_envelope(owner: Client, template: Body) -> None:
    answer = checked(await owner.patch(path(template), json={}))
    assert set(answer) == {"message", "detail", "validations"}


async def test_a_patch_keeps_what_it_does_not_name(
    sdk: Client, owner: Client, member: Client, auditor: Client, template: Body
) -> None:
    await grant(owner, template, users={member.user_id: "use", auditor.user_id: "use"})
    await grant(owner, template, users={auditor.user_id: "admin"})
    assert (await roles(sdk, template))["users"] == {member.user_id: "use", auditor.user_id: "admin"}


async def test_a_patch_may_come_twice(sdk: Client, owner: Client, member: Client, template: Body) -> None:
    for _ in range(2):
        await grant(owner, template, users={member.user_id: "use"})
    assert (await roles(sdk, template))["users"] == {member.user_id: "use"}
    logs = checked(await owner.get("/audit", params={"q": "resource_type:template action:write"}))
    assert logs["count"] == 1


@pytest.mark.parametrize("role", ["", None])
async def test_an_entry_is_deleted_with_an_empty_role(
    sdk: Client, owner: Client, member: Client, template: Body, role: str | None
) -> None:
    await grant(owner, template, users={member.user_id: "use"})
    for _ in range(2):
        await grant(owner, template, users={member.user_id: role})
    assert (await roles(sdk, template))["users"] == {}
    assert not await sees(member, template)


@pytest.mark.parametrize("spell", [str.upper, lambda text: text.replace("-", "")], ids=["upper case", "no hyphens"])
async def test_another_spelling_of_an_id_is_the_same_subject(
    sdk: Client, owner: Client, member: Client, template: Body, spell: object
) -> None:
    assert callable(spell)
    await grant(owner, template, users={spell(member.user_id): "admin"})
    await grant(owner, template, users={member.user_id: "use"}, groups={spell(template["organization_id"]): "use"})
    expected = {"users": {member.user_id: "use"}, "group": {template["organization_id"]: "use"}}
    assert await roles(sdk, template) == expected
    twice = {"user_perms": {spell(member.user_id): "use", member.user_id: "admin"}}
    refused(await owner.patch(path(template), json=twice), 400, "user_perms")


@pytest.mark.parametrize("field", ["user_perms", "group_perms"])
@pytest.mark.parametrize("entry", [{"nobody": "use"}, {str(UUID(int=7)): "use"}, {str(UUID(int=7)): "owner"}])
async def test_unknown_subjects_and_roles_are_refused_and_nothing_changes(
    sdk: Client, owner: Client, member: Client, template: Body, field: str, entry: Body
) -> None:
    body = {"user_perms": {member.user_id: "use"}} | {field: {member.user_id: "use", **entry}}
    if field == "group_perms":
        body[field] = entry
    refused(await owner.patch(path(template), json=body), 400, field)
    assert await roles(sdk, template) == {"users": {}, "group": {}}


async def test_both_fields_are_named_when_both_are_wrong(owner: Client, template: Body) -> None:
    body = {"user_perms": {"x": "use"}, "group_perms": {"'; DROP TABLE users; --": "admin"}}
    refused(await owner.patch(path(template), json=body), 400, "user_perms", "group_perms")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"user_perms": []}', b'{"user_perms": {"a": 1}}'])
async def test_a_body_that_cannot_be_read_is_refused(owner: Client, template: Body, content: bytes) -> None:
    assert (await owner.patch(path(template), content=content)).status_code == 400


async def test_a_group_is_no_user(owner: Client, template: Body) -> None:
    group = await create_group(owner, "platform")
    refused(await owner.patch(path(template), json={"user_perms": {group["id"]: "use"}}), 400, "user_perms")


async def test_the_entry_of_one_who_is_gone_can_be_deleted_but_not_made(owner: Client, template: Body) -> None:
    user = await create_user(owner, "ann")
    group = await create_group(owner, "platform")
    await grant(owner, template, users={user["id"]: "use"}, groups={group["id"]: "use"})
    checked(await owner.delete(f"/users/{user['id']}"))
    checked(await owner.delete(f"/groups/{group['id']}"))
    refused(await owner.patch(path(template), json={"user_perms": {user["id"]: "use"}}), 400, "user_perms")
    refused(await owner.patch(path(template), json={"group_perms": {group["id"]: "use"}}), 400, "group_perms")
    await grant(owner, template, users={user["id"]: ""}, groups={group["id"]: ""})


async def test_dormant_users_are_shown_and_suspended_and_deleted_ones_are_not(
    sdk: Client, owner: Client, template: Body
) -> None:
    users = [await create_user(owner, name) for name in ("dormant", "suspended", "deleted")]
    await grant(owner, template, users={user["id"]: "use" for user in users})
    checked(await owner.put("/users/suspended/status/suspend"))
    checked(await owner.delete("/users/deleted"))
    assert (await roles(sdk, template))["users"] == {users[0]["id"]: "use"}
    checked(await owner.put("/users/suspended/status/activate"))
    assert set((await roles(sdk, template))["users"]) == {users[0]["id"], users[1]["id"]}


async def test_deleting_a_group_leaves_no_entry_behind(
    sdk: Client, owner: Client, member: Client, template: Body, database: Database
) -> None:
    group = await create_group(owner, "platform")
    checked(await owner.patch(f"/groups/{group['id']}", json={"add_users": [member.user_id]}))
    await grant(owner, template, groups={group["id"]: "admin"})
    assert await sees(member, template)
    checked(await owner.delete(f"/groups/{group['id']}"))
    assert not await sees(member, template)

    def entries(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT count(*) FROM template_groups").scalar_one())

    assert await database.read(entries) == 0


async def test_a_group_gives_its_members_access_while_they_are_in_it(
    owner: Client, member: Client, template: Body
) -> None:
    group = await create_group(owner, "platform")
    await grant(owner, template, groups={group["id"]: "use"})
    assert not await sees(member, template)
    checked(await owner.patch(f"/groups/{group['id']}", json={"add_users": [member.user_id]}))
    assert await sees(member, template)
    checked(await owner.patch(f"/groups/{group['id']}", json={"remove_users": [member.user_id]}))
    assert not await sees(member, template)


async def test_a_user_outside_the_organization_needs_an_entry_of_their_own(
    owner: Client, member: Client, template: Body
) -> None:
    await grant(owner, template, groups={template["organization_id"]: "use"})
    assert (await owner.delete(f"/organizations/default/members/{member.user_id}")).status_code == 204
    assert not await sees(member, template)
    await grant(owner, template, users={member.user_id: "use"})
    assert await sees(member, template)


async def test_a_group_of_another_organization_helps_those_who_are_in_both(
    sdk: Client, owner: Client, member: Client, template: Body, database: Database
) -> None:
    other = await database.write(lambda connection: create_organization(connection, "other"))
    await grant(owner, template, groups={str(other.id): "use"})
    assert (await roles(sdk, template))["group"] == {str(other.id): "use"}
    assert not await sees(member, template)
    checked(await owner.post(f"/organizations/other/members/{member.user_id}"))
    assert await sees(member, template)
    assert (await owner.delete(f"/organizations/default/members/{member.user_id}")).status_code == 204
    assert not await sees(member, template)


def create_organization(connection: Connection, name: str) -> organizations.Organization:
    first = default_organization.ensure_default(connection)
    made = first._replace(id=uuid4(), name=name, display_name=name, is_default=False)
    organizations.create(connection, made)
    everyone = Group(made.id, made.id, "Everyone", "", "", 0, "user", name, name)
    groups.create(connection, everyone)
    return made


async def test_the_documented_available_is_an_array_of_one(owner: Client, template: Body) -> None:
    answer = await owner.get(f"{path(template)}/available")
    (available,) = answer.json()
    assert set(available) == {"users", "groups"}
    assert set(available["users"][0]) == USER
    assert set(available["groups"][0]) == GROUP
    assert [user["id"] for user in available["groups"][0]["members"]] == [owner.user_id]


async def test_available_users_are_searched_and_paged_by_username(sdk: Client, owner: Client, template: Body) -> None:
    for name in ("zed", "Ann", "bob"):
        await create_user(owner, name)
    url = f"{path(template)}/available"

    async def found(**params: str | int) -> list[str]:
        return [user["username"] for user in checked(await sdk.get(url, params=params))["users"]]

    assert await found() == ["Ann", "bob", "olivia", "zed"]
    assert await found(limit=2, offset=1) == ["bob", "olivia"]
    assert await found(q="ann") == ["Ann"]
    last = checked(await owner.get("/users/bob"))["id"]
    assert await found(after_id=last, limit=1) == ["olivia"]
    refused(await sdk.get(url, params={"q": "a b"}), 400, "q")
    refused(await sdk.get(url, params={"after_id": "x"}), 400)


async def test_one_who_may_use_it_reads_and_changes_no_acl(owner: Client, member: Client, template: Body) -> None:
    await grant(owner, template, users={member.user_id: "use"})
    refused(await member.get(path(template)), 403)
    refused(await member.patch(path(template), json={"user_perms": {member.user_id: "admin"}}), 403)
    refused(await member.get(f"{path(template)}/available"), 404)


async def test_to_one_without_access_there_is_no_acl(member: Client, user_admin: Client, template: Body) -> None:
    for client in (member, user_admin):
        refused(await client.get(path(template)), 404)
        refused(await client.patch(path(template), json={}), 404)
        refused(await client.get(f"{path(template)}/available"), 404)


async def test_an_auditor_reads_the_template_alone(auditor: Client, template: Body) -> None:
    refused(await auditor.get(path(template)), 403)
    refused(await auditor.patch(path(template), json={}), 403)
    refused(await auditor.get(f"{path(template)}/available"), 404)


@pytest.mark.parametrize("by", ["user", "group"])
async def test_the_role_admin_lets_a_member_read_and_change_the_acl(
    owner: Client, member: Client, template: Body, by: str
) -> None:
    if by == "user":
        await grant(owner, template, users={member.user_id: "admin"})
    else:
        await grant(owner, template, groups={template["organization_id"]: "admin"})
    await grant(member, template, users={owner.user_id: "use"})
    assert (await member.get(path(template))).status_code == 200
    assert (await member.get(f"{path(template)}/available")).status_code == 200


async def test_nobody_takes_their_own_last_access_away(owner: Client, member: Client, template: Body) -> None:
    await grant(owner, template, users={member.user_id: "admin"})
    refused(await member.patch(path(template), json={"user_perms": {member.user_id: ""}}), 400)
    assert await sees(member, template)
    await grant(member, template, users={member.user_id: "use"})
    assert await sees(member, template)


async def test_a_change_is_in_the_audit_log_with_what_it_was(owner: Client, member: Client, template: Body) -> None:
    await grant(owner, template, users={member.user_id: "use"})
    logs = checked(await owner.get("/audit", params={"q": "resource_type:template action:write"}))["audit_logs"]
    assert logs[0]["diff"] == {"user_acl": {"old": {}, "new": {member.user_id: "use"}, "secret": False}}


async def test_what_a_member_is_not_shown_of_people_cannot_be_searched(
    sdk: Client, owner: Client, member: Client, template: Body
) -> None:
    await create_user(owner, "ann", email="ann@secret.example.com")
    await grant(owner, template, users={member.user_id: "admin"})
    url = f"{path(template)}/available"
    sdk.headers["Coder-Session-Token"] = member.token
    assert [user["username"] for user in checked(await sdk.get(url, params={"q": "an"}))["users"]] == ["ann"]
    assert checked(await sdk.get(url, params={"q": "secret.example"}))["users"] == []
    for query in ("role:owner", "status:suspended", "last_seen_after:2020-01-01T00:00:00Z"):
        refused(await sdk.get(url, params={"q": query}), 400, "q")
