"""Workspaces by their owner and name, and the list of their builds."""

from __future__ import annotations

from tests.support.api import UNKNOWN_ID, Body, Client, checked, create_user, refused
from tests.support.provisioners import Daemon, create_build, create_workspace


async def test_a_user_makes_a_workspace_without_naming_an_organization(member: Client, template: Body) -> None:
    body = {"name": "dev", "template_id": template["id"]}
    made = checked(await member.post("/users/me/workspaces", json=body))
    assert (made["owner_id"], made["organization_id"]) == (member.user_id, template["organization_id"])
    refused(await member.post("/users/me/workspaces", json=body), 409, "name")


async def test_nobody_makes_a_workspace_for_somebody_else(member: Client, template: Body) -> None:
    body = {"name": "dev", "template_id": template["id"]}
    refused(await member.post("/users/olivia/workspaces", json=body), 400)
    refused(await member.post("/users/me/workspaces", json=body | {"template_id": UNKNOWN_ID}), 400, "template_id")


async def test_a_workspace_is_made_only_for_members_of_the_templates_organization(
    owner: Client, template: Body
) -> None:
    ann = await create_user(owner, "ann")
    assert (await owner.delete(f"/organizations/default/members/{ann['id']}")).status_code == 204
    refused(await owner.post("/users/ann/workspaces", json={"name": "dev", "template_id": template["id"]}), 404)


async def test_a_workspace_is_found_by_its_owner_and_name(owner: Client, member: Client, template: Body) -> None:
    workspace = await create_workspace(member, template, "dev")
    path = "/users/me/workspace/DEV"
    assert checked(await member.get(path)) == checked(await member.get(f"/workspaces/{workspace['id']}"))
    assert checked(await owner.get(f"/users/{member.user_id}/workspace/dev"))["id"] == workspace["id"]
    refused(await owner.get(path), 404)
    refused(await member.get(f"/users/{owner.user_id}/workspace/dev"), 400)


async def test_a_deleted_workspace_is_found_where_it_is_asked_for(
    owner: Client, daemon: Daemon, template: Body
) -> None:
    workspace = await create_workspace(owner, template, "dev")
    await daemon.complete(await daemon.acquire())
    await create_build(owner, workspace, "delete")
    await daemon.complete(await daemon.acquire())
    refused(await owner.get("/users/me/workspace/dev"), 404)
    found = checked(await owner.get("/users/me/workspace/dev", params={"include_deleted": True}))
    assert found["id"] == workspace["id"]
    again = await create_workspace(owner, template, "dev")
    assert checked(await owner.get("/users/me/workspace/dev?include_deleted=true"))["id"] == again["id"]


async def test_builds_are_listed_newest_first(owner: Client, member: Client, daemon: Daemon, template: Body) -> None:
    workspace = await create_workspace(owner, template, "dev")
    await daemon.complete(await daemon.acquire())
    await create_build(owner, workspace, "stop")
    path = f"/workspaces/{workspace['id']}/builds"
    builds = (await owner.get(path)).json()
    assert [(build["build_number"], build["transition"]) for build in builds] == [(2, "stop"), (1, "start")]
    assert (await owner.get(path, params={"limit": 1, "offset": 1})).json() == builds[1:]
    assert checked(await owner.get("/users/me/workspace/dev/builds/1")) == builds[1]
    refused(await owner.get("/users/me/workspace/dev/builds/3"), 404)
    refused(await member.get(path), 404)
    refused(await member.get(f"/users/{owner.user_id}/workspace/dev/builds/1"), 400)


async def test_builds_after_one_are_those_that_are_newer(owner: Client, daemon: Daemon, template: Body) -> None:
    workspace = await create_workspace(owner, template, "dev")
    await daemon.complete(await daemon.acquire())
    await create_build(owner, workspace, "stop")
    path = f"/workspaces/{workspace['id']}/builds"
    newer, older = (await owner.get(path)).json()
    assert (await owner.get(path, params={"after_id": older["id"]})).json() == [newer]
    assert (await owner.get(path, params={"after_id": newer["id"]})).json() == []
    refused(await owner.get(path, params={"after_id": workspace["id"]}), 400, "after_id")


async def test_a_workspace_tells_how_its_template_asks_for_parameters(owner: Client, template: Body) -> None:
    workspace = await create_workspace(owner, template, "dev")
    assert workspace["template_use_classic_parameter_flow"] is True
    checked(await owner.patch(f"/templates/{template['id']}", json={"use_classic_parameter_flow": False}))
    shown = checked(await owner.get(f"/workspaces/{workspace['id']}"))
    assert shown["template_use_classic_parameter_flow"] is False


async def test_what_this_server_does_not_do_is_in_the_answers_all_the_same(owner: Client, template: Body) -> None:
    workspace = await create_workspace(owner, template, "dev")
    assert (workspace["next_start_at"], workspace["is_prebuild"], workspace["task_id"]) == (None, False, None)
    build = workspace["latest_build"]
    assert build["template_version_preset_id"] is None
    assert (build["has_ai_task"], build["has_external_agent"]) == (False, False)
    version = checked(await owner.get(f"/templateversions/{template['active_version_id']}"))
    assert (version["has_external_agent"], version["warnings"]) == (False, [])
