"""What daemons say of the resources of a workspace, as it is shown."""

from __future__ import annotations

from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Body, Client, checked
from tests.support.provisioners import Daemon, create_version, create_workspace

AGENT = pb.Agent(
    name="main",
    env={"EDITOR": "vi\0m"},
    operating_system="linux",
    architecture="arm64",
    directory="/home/dev",
    token="a-secret-of-the-agent",
    connection_timeout_seconds=120,
    troubleshooting_url="https://help.example.com",
    display_apps=pb.DisplayApps(vscode=True, ssh_helper=True),
    order=2,
)
RESOURCE = pb.Resource(
    name="dev",
    type="docker_container",
    agents=[AGENT, pb.Agent(name="first", order=1)],
    metadata=[
        pb.Resource.Metadata(key="image", value="debian"),
        pb.Resource.Metadata(key="password", value="hunter2", sensitive=True),
        pb.Resource.Metadata(key="nothing", is_null=True),
    ],
)


async def built(daemon: Daemon, owner: Client, template: Body, *resources: pb.Resource) -> Body:
    workspace = await create_workspace(owner, template, "dev")
    await daemon.complete(await daemon.acquire(), *resources)
    return checked(await owner.get(f"/workspacebuilds/{workspace['latest_build']['id']}"))


async def test_a_build_shows_the_agents_of_its_resources(daemon: Daemon, owner: Client, template: Body) -> None:
    (resource,) = (await built(daemon, owner, template, RESOURCE))["resources"]
    first, agent = resource["agents"]
    assert (first["name"], agent["name"], agent["resource_id"]) == ("first", "main", resource["id"])
    assert (agent["operating_system"], agent["architecture"], agent["directory"]) == ("linux", "arm64", "/home/dev")
    assert agent["environment_variables"] == {"EDITOR": "vim"}
    assert agent["display_apps"] == ["vscode", "ssh_helper"]
    assert (agent["connection_timeout_seconds"], agent["status"], agent["lifecycle_state"]) == (
        120,
        "connecting",
        "created",
    )
    assert agent["id"] != first["id"]


async def test_nothing_of_an_agents_token_is_kept(daemon: Daemon, owner: Client, template: Body) -> None:
    assert AGENT.token not in str(await built(daemon, owner, template, RESOURCE))


async def test_a_build_shows_the_metadata_of_its_resources(daemon: Daemon, owner: Client, template: Body) -> None:
    (resource,) = (await built(daemon, owner, template, RESOURCE))["resources"]
    assert resource["metadata"] == [
        {"key": "image", "value": "debian", "sensitive": False},
        {"key": "password", "value": "hunter2", "sensitive": True},
    ]


async def test_a_version_shows_what_its_workspaces_will_have(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    await daemon.complete(await daemon.acquire(), RESOURCE)
    (resource,) = (await owner.get(f"/templateversions/{version['id']}/resources")).json()
    assert [agent["name"] for agent in resource["agents"]] == ["first", "main"]
    assert len(resource["metadata"]) == 2


async def test_an_agent_that_runs_elsewhere_is_told_of(daemon: Daemon, owner: Client, template: Body) -> None:
    external = pb.Resource(name="dev", type="coder_external_agent")
    assert (await built(daemon, owner, template, external))["has_external_agent"] is True
    version = await create_version(owner)
    assert version["has_external_agent"] is False
    await daemon.complete(await daemon.acquire(), external, has_external_agents=True)
    assert checked(await owner.get(f"/templateversions/{version['id']}"))["has_external_agent"] is True
