"""Dry runs of template versions, which Coder's command line makes before each workspace."""

from __future__ import annotations

from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import UNKNOWN_ID, Body, Client, checked, refused
from tests.support.provisioners import Daemon, build_template, create_version

REGION = pb.RichParameter(name="region", type="string", required=True)
CHOSEN = [{"name": "region", "value": "us"}]


def path_of(template: Body) -> str:
    return f"/templateversions/{template['active_version_id']}/dry-run"


async def start(client: Client, template: Body, **fields: object) -> tuple[str, Body]:
    """Its path, and the job."""
    job = checked(await client.post(path_of(template), json={"workspace_name": "dev", **fields}))
    return f"{path_of(template)}/{job['id']}", job


async def test_a_dry_run_finds_out_what_a_workspace_would_have(daemon: Daemon, owner: Client, member: Client) -> None:
    template = await build_template(owner, daemon, "cloud", rich_parameters=[REGION])
    path, job = await start(member, template, rich_parameter_values=CHOSEN)
    assert (job["type"], job["status"]) == ("template_version_dry_run", "pending")
    assert job["input"]["template_version_id"] == template["active_version_id"]
    order = await daemon.acquire()
    await daemon.update(order, "plan")
    refused(await member.get(f"{path}/resources"), 400)
    await daemon.complete(order, pb.Resource(name="dev", type="vm", daily_cost=2))
    assert checked(await member.get(path))["status"] == "succeeded"
    (resource,) = (await member.get(f"{path}/resources")).json()
    assert (resource["name"], resource["workspace_transition"], resource["daily_cost"]) == ("dev", "start", 2)
    assert [line["output"] for line in (await member.get(f"{path}/logs")).json()] == ["plan"]


async def test_a_daemon_is_told_the_values_and_nothing_of_who_asks(daemon: Daemon, owner: Client) -> None:
    template = await build_template(owner, daemon, "cloud", rich_parameters=[REGION])
    await start(owner, template, rich_parameter_values=CHOSEN)
    order = (await daemon.acquire()).template_dry_run
    assert list(order.rich_parameter_values) == [pb.RichParameterValue(name="region", value="us")]
    assert (order.metadata.workspace_name, list(order.metadata.workspace_owner_groups)) == ("dev", ["Everyone"])
    assert not order.metadata.workspace_owner_session_token
    assert not order.metadata.workspace_owner


async def test_a_dry_run_needs_values_as_a_workspace_does(daemon: Daemon, owner: Client) -> None:
    template = await build_template(owner, daemon, "cloud", rich_parameters=[REGION])
    refused(await owner.post(path_of(template), json={}), 400, "rich_parameter_values")
    unknown = {"rich_parameter_values": [{"name": "size", "value": "big"}]}
    refused(await owner.post(path_of(template), json=unknown), 400, "rich_parameter_values")


async def test_a_version_that_is_not_imported_has_none_yet(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    path = f"/templateversions/{version['id']}/dry-run"
    refused(await owner.post(path, json={}), 425)
    await daemon.fail(await daemon.acquire(), "broken")
    refused(await owner.post(path, json={}), 400)


async def test_a_dry_run_that_waits_is_canceled(owner: Client, daemon: Daemon, template: Body) -> None:
    path, _ = await start(owner, template)
    found = checked(await owner.get(f"{path}/matched-provisioners"))
    assert (found["count"], found["available"]) == (1, 1)
    checked(await owner.patch(f"{path}/cancel"))
    assert checked(await owner.get(path))["status"] == "canceled"
    refused(await owner.patch(f"{path}/cancel"), 400)


async def test_a_dry_run_is_seen_by_who_made_it_and_who_makes_workspaces_for_them(
    owner: Client, member: Client, template_admin: Client, nobody: Client, daemon: Daemon, template: Body
) -> None:
    path, _ = await start(member, template)
    checked(await owner.get(path))
    for part in ("", "/resources", "/logs", "/matched-provisioners"):
        refused(await template_admin.get(path + part), 404)
        refused(await nobody.get(path + part), 401)
    refused(await template_admin.patch(f"{path}/cancel"), 404)
    refused(await nobody.post(path_of(template), json={}), 401)


async def test_a_dry_run_is_found_at_its_version_alone(owner: Client, daemon: Daemon, template: Body) -> None:
    _, job = await start(owner, template)
    refused(await owner.get(f"/templateversions/{UNKNOWN_ID}/dry-run/{job['id']}"), 404)
    refused(await owner.get(f"{path_of(template)}/{UNKNOWN_ID}"), 404)
    refused(await owner.get(f"{path_of(template)}/mine"), 400)


async def test_nobody_runs_what_they_do_not_see(owner: Client, member: Client, template: Body) -> None:
    everyone = {"group_perms": {template["organization_id"]: ""}}
    checked(await owner.patch(f"/templates/{template['id']}/acl", json=everyone))
    refused(await member.post(path_of(template), json={}), 404)
