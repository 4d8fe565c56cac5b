"""Workspaces and their builds."""

from __future__ import annotations

from typing import Any

import pytest

from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Body, Client, People, checked, create_group, refused
from tests.support.provisioners import (
    Daemon,
    build,
    build_template,
    create_build,
    create_version,
    create_workspace,
    session_of,
)
from tests.support.templates import create_template, grant

WORKSPACES = "/organizations/default/members/me/workspaces"
NONE = "11111111-1111-4111-8111-111111111111"
NIL = "00000000-0000-0000-0000-000000000000"


async def status(client: Client, workspace: Body) -> str:
    shown = checked(await client.get(f"/workspaces/{workspace['id']}"))
    found: str = shown["latest_build"]["status"]
    return found


async def built(client: Client, daemon: Daemon, template: Body, name: str) -> Body:
    """That runs."""
    workspace = await create_workspace(client, template, name)
    await daemon.complete(await daemon.acquire())
    return workspace


# Workspaces.


async def test_a_member_makes_a_workspace_of_a_template(daemon: Daemon, template: Body, member: Client) -> None:
    workspace = await create_workspace(member, template, "dev")
    assert (workspace["owner_id"], workspace["template_name"]) == (member.user_id, "docker")
    assert (workspace["outdated"], workspace["name"]) == (False, "dev")
    latest = workspace["latest_build"]
    assert (latest["build_number"], latest["transition"], latest["status"]) == (1, "start", "pending")
    assert latest["job"]["type"] == "workspace_build"
    assert latest["template_version_id"] == template["active_version_id"]
    assert checked(await member.get(f"/workspaces/{workspace['id']}")) == workspace


async def test_a_daemon_learns_whose_workspace_it_builds(
    daemon: Daemon, template: Body, owner: Client, member: Client
) -> None:
    group = await create_group(owner, "devs")
    checked(await owner.patch(f"/groups/{group['id']}", json={"add_users": [member.user_id]}))
    workspace = await create_workspace(member, template, "dev")
    order = (await daemon.acquire()).workspace_build
    metadata = order.metadata
    assert (order.workspace_name, order.workspace_build_id) == ("dev", workspace["latest_build"]["id"])
    assert (metadata.workspace_owner_id, metadata.workspace_owner) == (member.user_id, workspace["owner_name"])
    assert metadata.workspace_transition == pb.START
    assert list(metadata.workspace_owner_groups) == ["Everyone", "devs"]
    assert metadata.template_version_id == template["active_version_id"]


async def test_a_template_that_a_user_does_not_see_makes_no_workspace(
    template: Body, owner: Client, member: Client
) -> None:
    await grant(owner, template, groups={template["organization_id"]: ""})
    for field, value in (("template_id", template["id"]), ("template_version_id", template["active_version_id"])):
        refused(await member.post(WORKSPACES, json={"name": "dev", field: value}), 400, field)
    await grant(owner, template, users={member.user_id: "use"})
    await create_workspace(member, template, "dev")


async def test_a_name_that_is_taken_in_any_case_is_a_conflict(template: Body, member: Client) -> None:
    await create_workspace(member, template, "dev")
    refused(await member.post(WORKSPACES, json={"name": "DEV", "template_id": template["id"]}), 409, "name")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "x" * 33}, "name"),
        ({"template_id": "x"}, "template_id"),
        ({"template_id": NONE}, "template_id"),
        ({"template_id": "", "template_version_id": NONE}, "template_version_id"),
        ({"template_version_id": NONE}, "template_version_id"),
        ({"rich_parameter_values": [{"name": "x", "value": "y"}]}, "rich_parameter_values"),
    ],
)
async def test_a_workspace_that_cannot_be_is_refused_by_field(
    template: Body, member: Client, fields: dict[str, Any], field: str
) -> None:
    body = {"name": "dev", "template_id": template["id"], **fields}
    refused(await member.post(WORKSPACES, json=body), 400, field)


async def test_a_template_without_a_built_version_makes_no_workspace(owner: Client) -> None:
    bare = await create_template(owner, "bare")
    refused(await owner.post(WORKSPACES, json={"name": "dev", "template_id": bare["id"]}), 400, "template_id")
    version = await create_version(owner)
    waiting = await create_template(owner, "waiting", template_version_id=version["id"])
    refused(await owner.post(WORKSPACES, json={"name": "dev", "template_id": waiting["id"]}), 400, "template_id")


async def test_a_deprecated_template_makes_no_workspace(template: Body, owner: Client) -> None:
    checked(await owner.patch(f"/templates/{template['id']}", json={"name": "docker", "deprecation_message": "old"}))
    refused(await owner.post(WORKSPACES, json={"name": "dev", "template_id": template["id"]}), 400, "template_id")


async def test_a_template_may_require_its_active_version(
    daemon: Daemon, template: Body, owner: Client, member: Client
) -> None:
    second = await create_version(owner, template_id=template["id"])
    await daemon.complete(await daemon.acquire())
    checked(await owner.patch(f"/templates/{template['id']}", json={"name": "docker", "require_active_version": True}))
    body = {"name": "dev", "template_version_id": second["id"]}
    refused(await member.post(WORKSPACES, json=body), 400, "template_version_id")
    checked(await owner.post(WORKSPACES, json=body))
    await daemon.complete(await daemon.acquire())
    workspace = await built(member, daemon, template, "mine")
    path, build = f"/workspaces/{workspace['id']}/builds", {"template_version_id": second["id"]}
    refused(await member.post(path, json={"transition": "start", **build}), 403)
    checked(await member.post(path, json={"transition": "stop", **build}))


async def test_parameters_get_their_values(daemon: Daemon, owner: Client) -> None:
    parameters = [
        pb.RichParameter(name="region", required=True, mutable=False),
        pb.RichParameter(name="size", default_value="big", mutable=True),
    ]
    template = await build_template(owner, daemon, "cloud", rich_parameters=parameters)
    refused(
        await owner.post(WORKSPACES, json={"name": "dev", "template_id": template["id"]}), 400, "rich_parameter_values"
    )
    workspace = await create_workspace(
        owner, template, "dev", rich_parameter_values=[{"name": "region", "value": "eu"}]
    )
    order = await daemon.acquire()
    await daemon.complete(order)
    values = {item.name: item.value for item in order.workspace_build.rich_parameter_values}
    assert values == {"region": "eu", "size": "big"}
    build_id = workspace["latest_build"]["id"]
    assert {"name": "region", "value": "eu"} in (await owner.get(f"/workspacebuilds/{build_id}/parameters")).json()
    body = {"transition": "start", "rich_parameter_values": [{"name": "region", "value": "us"}]}
    refused(await owner.post(f"/workspaces/{workspace['id']}/builds", json=body), 400, "rich_parameter_values")
    await create_build(owner, workspace, "start", rich_parameter_values=[{"name": "size", "value": "small"}])
    values = {item.name: item.value for item in (await daemon.acquire()).workspace_build.rich_parameter_values}
    assert values == {"region": "eu", "size": "small"}


async def test_an_owner_makes_workspaces_for_others_and_others_do_not(
    template: Body, owner: Client, template_admin: Client, member: Client
) -> None:
    workspace = await create_workspace(owner, template, "dev", user=member.user_id)
    assert workspace["owner_id"] == member.user_id
    path = f"/organizations/default/members/{member.user_id}/workspaces"
    refused(await template_admin.post(path, json={"name": "x", "template_id": template["id"]}), 403)


async def test_who_is_not_in_the_organization_has_no_workspace_there(
    template: Body, owner: Client, member: Client
) -> None:
    assert (await owner.delete(f"/organizations/default/members/{member.user_id}")).is_success
    path = f"/organizations/default/members/{member.user_id}/workspaces"
    refused(await owner.post(path, json={"name": "x", "template_id": template["id"]}), 404)


async def test_lists_hold_what_one_may_see(
    template: Body, owner: Client, member: Client, template_admin: Client, user_admin: Client
) -> None:
    await create_workspace(member, template, "web")
    await create_workspace(owner, template, "dev")
    for client, names in (
        (member, ["web"]),
        (user_admin, []),
        (owner, ["web", "dev"]),
        (template_admin, ["web", "dev"]),
    ):
        shown = checked(await client.get("/workspaces"))
        assert sorted(item["name"] for item in shown["workspaces"]) == sorted(names)
        assert shown["count"] == len(names)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("owner:me", ["dev"]),
        ("owner:OLIVIA name:dev", ["dev"]),
        ("template:docker", ["dev", "web"]),
        ("template:other", []),
        ("we", ["web"]),
    ],
)
async def test_lists_are_searched(template: Body, owner: Client, member: Client, query: str, names: list[str]) -> None:
    await create_workspace(member, template, "web")
    await create_workspace(owner, template, "dev")
    shown = checked(await owner.get("/workspaces", params={"q": query}))
    assert sorted(item["name"] for item in shown["workspaces"]) == names


async def test_lists_come_in_pages(template: Body, owner: Client) -> None:
    for name in ("a", "b", "c"):
        await create_workspace(owner, template, name)
    shown = checked(await owner.get("/workspaces", params={"limit": 1, "offset": 1}))
    assert ([item["name"] for item in shown["workspaces"]], shown["count"]) == (["b"], 3)


async def test_an_unknown_key_of_a_search_is_refused(owner: Client) -> None:
    refused(await owner.get("/workspaces", params={"q": "colour:red"}), 400, "q")


# Builds.


async def test_a_workspace_is_started_stopped_and_deleted(daemon: Daemon, template: Body, member: Client) -> None:
    workspace = await create_workspace(member, template, "dev")
    order = await daemon.acquire()
    assert await status(member, workspace) == "starting"
    await daemon.complete(order, pb.Resource(name="dev", type="vm"), state=b"one")
    assert await status(member, workspace) == "running"
    await create_build(member, workspace, "stop")
    order = await daemon.acquire()
    assert (order.workspace_build.state, order.workspace_build.metadata.workspace_transition) == (b"one", pb.STOP)
    await daemon.complete(order, state=b"two")
    assert await status(member, workspace) == "stopped"
    deleting = await create_build(member, workspace, "delete")
    order = await daemon.acquire()
    assert (order.workspace_build.state, order.workspace_build.metadata.workspace_transition) == (b"two", pb.DESTROY)
    await daemon.complete(order)
    path = f"/workspaces/{workspace['id']}"
    refused(await member.get(path), 410)
    assert checked(await member.get(path, params={"include_deleted": True}))["latest_build"]["status"] == "deleted"
    shown = checked(await member.get(f"/workspacebuilds/{deleting['id']}"))
    assert (shown["status"], shown["build_number"]) == ("deleted", 3)
    assert checked(await member.get("/workspaces"))["count"] == 0
    await create_workspace(member, template, "dev")


async def test_a_build_shows_its_logs_and_resources(daemon: Daemon, template: Body, member: Client) -> None:
    workspace = await create_workspace(member, template, "dev")
    order = await daemon.acquire()
    await daemon.update(order, "apply")
    await daemon.complete(order, pb.Resource(name="dev", type="vm", daily_cost=2))
    path = f"/workspacebuilds/{workspace['latest_build']['id']}"
    assert [line["output"] for line in (await member.get(f"{path}/logs")).json()] == ["apply"]
    (resource,) = checked(await member.get(path))["resources"]
    assert (resource["name"], resource["type"], resource["daily_cost"]) == ("dev", "vm", 2)


async def test_a_failed_build_keeps_the_state_that_it_left(daemon: Daemon, template: Body, member: Client) -> None:
    workspace = await create_workspace(member, template, "dev")
    order = await daemon.acquire()
    await daemon.fail(order, "broken", workspace_build=pb.FailedJob.WorkspaceBuild(state=b"half"))
    assert await status(member, workspace) == "failed"
    await create_build(member, workspace, "delete")
    assert (await daemon.acquire()).workspace_build.state == b"half"


async def test_one_build_at_a_time(daemon: Daemon, template: Body, member: Client) -> None:
    workspace = await create_workspace(member, template, "dev")
    refused(await member.post(f"/workspaces/{workspace['id']}/builds", json={"transition": "stop"}), 409)


async def test_a_new_active_version_makes_a_workspace_outdated(daemon: Daemon, template: Body, owner: Client) -> None:
    workspace = await built(owner, daemon, template, "dev")
    second = await create_version(owner, template_id=template["id"])
    await daemon.complete(await daemon.acquire())
    checked(await owner.patch(f"/templates/{template['id']}/versions", json={"id": second["id"]}))
    assert checked(await owner.get(f"/workspaces/{workspace['id']}"))["outdated"] is True
    await create_build(owner, workspace, "start", template_version_id=second["id"])
    assert checked(await owner.get(f"/workspaces/{workspace['id']}"))["outdated"] is False


async def test_builds_need_the_tags_of_their_version(address: str, owner: Client) -> None:
    async with Daemon(address, session_of(owner), name="eu", tags={"zone": "eu"}) as daemon:
        version = await create_version(owner, tags={"zone": "eu"})
        await daemon.complete(await daemon.acquire())
        template = await create_template(owner, "cloud", template_version_id=version["id"])
        workspace = await create_workspace(owner, template, "dev")
        assert workspace["latest_build"]["job"]["tags"]["zone"] == "eu"
        assert (await daemon.acquire()).workspace_build.workspace_name == "dev"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"transition": "restart"}, "transition"),
        ({"transition": "start", "template_version_id": "x"}, "template_version_id"),
        ({"transition": "delete", "orphan": True}, "orphan"),
        ({"transition": "start", "state": "eA=="}, "state"),
        ({"transition": "start", "dry_run": True}, "dry_run"),
        ({"transition": "start", "log_level": "debug"}, "log_level"),
        ({"transition": "start", "template_version_id": NONE}, "template_version_id"),
    ],
)
async def test_a_build_that_cannot_be_is_refused_by_field(
    daemon: Daemon, template: Body, member: Client, fields: dict[str, str], field: str
) -> None:
    workspace = await built(member, daemon, template, "dev")
    refused(await member.post(f"/workspaces/{workspace['id']}/builds", json=fields), 400, field)


async def test_the_nil_id_of_a_version_is_none(daemon: Daemon, template: Body, member: Client) -> None:
    """Go's clients cannot leave an id out."""
    ids = {"template_id": template["id"], "template_version_id": NIL}
    workspace = checked(await member.post(WORKSPACES, json={"name": "dev", **ids}))
    await daemon.complete(await daemon.acquire())
    stopped = await create_build(member, workspace, "stop", template_version_id=NIL)
    assert stopped["template_version_id"] == template["active_version_id"]
    ids = {"template_id": NIL, "template_version_id": template["active_version_id"]}
    checked(await member.post(WORKSPACES, json={"name": "dev2", **ids}))


async def test_a_build_is_canceled_by_its_user(daemon: Daemon, template: Body, member: Client) -> None:
    workspace = await create_workspace(member, template, "dev")
    path = f"/workspacebuilds/{workspace['latest_build']['id']}/cancel"
    checked(await member.patch(path))
    assert await status(member, workspace) == "canceled"
    refused(await member.patch(path), 400)


async def test_a_build_is_canceled_only_in_the_status_that_is_expected(
    daemon: Daemon, template: Body, member: Client
) -> None:
    workspace = await create_workspace(member, template, "dev")
    path = f"/workspacebuilds/{workspace['latest_build']['id']}/cancel"
    refused(await member.patch(path, params={"expect_status": "failed"}), 400, "expect_status")
    refused(await member.patch(path, params={"expect_status": "running"}), 412)
    order = await daemon.acquire()
    refused(await member.patch(path, params={"expect_status": "pending"}), 412)
    assert await status(member, workspace) == "starting"
    await daemon.complete(order)
    refused(await member.patch(path, params={"expect_status": "running"}), 400)
    refused(await member.patch(path), 400)


async def test_a_template_may_keep_cancelling_for_owners(
    daemon: Daemon, template: Body, owner: Client, member: Client
) -> None:
    body = {"name": "docker", "allow_user_cancel_workspace_jobs": False}
    checked(await owner.patch(f"/templates/{template['id']}", json=body))
    workspace = await create_workspace(member, template, "dev")
    path = f"/workspacebuilds/{workspace['latest_build']['id']}/cancel"
    refused(await member.patch(path), 403)
    checked(await owner.patch(path))


async def test_the_workspaces_of_others_are_not_found_or_only_read(
    template: Body, member: Client, people: People, template_admin: Client
) -> None:
    workspace = await create_workspace(member, template, "dev")
    path, builds = f"/workspaces/{workspace['id']}", f"/workspacebuilds/{workspace['latest_build']['id']}"
    other = await people.with_roles()
    for reading in (path, builds, f"{builds}/logs"):
        refused(await other.get(reading), 404)
        assert (await template_admin.get(reading)).status_code == 200
    for client, expected in ((other, 404), (template_admin, 403)):
        refused(await client.post(f"{path}/builds", json={"transition": "stop"}), expected)
        refused(await client.patch(f"{builds}/cancel"), expected)


async def test_workspaces_need_a_session(nobody: Client) -> None:
    for path in ("/workspaces", f"/workspaces/{NONE}", f"/workspacebuilds/{NONE}", f"/workspacebuilds/{NONE}/logs"):
        refused(await nobody.get(path), 401)
    refused(await nobody.post(WORKSPACES, json={}), 401)
    refused(await nobody.post(f"/workspaces/{NONE}/builds", json={}), 401)
    refused(await nobody.patch(f"/workspacebuilds/{NONE}/cancel"), 401)


async def test_what_is_not_there_is_not_found(owner: Client) -> None:
    for path in (f"/workspaces/{NONE}", f"/workspacebuilds/{NONE}", f"/workspacebuilds/{NONE}/logs"):
        refused(await owner.get(path), 404)
    refused(await owner.post(f"/workspaces/{NONE}/builds", json={"transition": "stop"}), 404)
    refused(await owner.patch(f"/workspacebuilds/{NONE}/cancel"), 404)
    refused(await owner.post(f"/organizations/{NONE}/members/me/workspaces", json={"name": "x"}), 404)
    refused(await owner.post("/organizations/default/members/none/workspaces", json={"name": "x"}), 400)


async def test_a_price_is_charged_to_the_build(daemon: Daemon, template: Body, owner: Client, member: Client) -> None:
    checked(await owner.patch(f"/groups/{template['organization_id']}", json={"quota_allowance": 10}))
    workspace = await create_workspace(member, template, "dev")
    await build(daemon, 7)
    assert checked(await member.get(f"/workspaces/{workspace['id']}"))["latest_build"]["daily_cost"] == 7
