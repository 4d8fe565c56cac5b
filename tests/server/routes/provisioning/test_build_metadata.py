"""What a daemon is told of the owner of the workspace that it builds, and of the build before."""

from __future__ import annotations

import dataclasses

import pytest

from coder_enterprise.server.settings import Settings
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Body, Client, People, checked
from tests.support.provisioners import Daemon, build_template, create_build, create_version, create_workspace


async def metadata_of_next(daemon: Daemon) -> pb.Metadata:
    """Of a build that succeeds at once."""
    order = await daemon.acquire()
    await daemon.complete(order)
    return order.workspace_build.metadata


async def status_with(client: Client, token: str) -> int:
    """Of a request that comes with that token."""
    answer = await client.get("/users/me", headers={"Coder-Session-Token": token})
    return answer.status_code


async def test_a_workspace_that_starts_gets_a_token_of_its_owner(
    daemon: Daemon, template: Body, member: Client, nobody: Client
) -> None:
    workspace = await create_workspace(member, template, "dev")
    token = (await metadata_of_next(daemon)).workspace_owner_session_token
    answer = await nobody.get("/users/me", headers={"Coder-Session-Token": token})
    assert checked(answer)["id"] == member.user_id
    (key,) = (await member.get("/users/me/keys/tokens")).json()
    assert key["token_name"] == f"{workspace['id']}_session_token"


@pytest.mark.parametrize("transition", ["stop", "delete"])
async def test_the_token_ends_with_the_workspace(
    daemon: Daemon, template: Body, member: Client, nobody: Client, transition: str
) -> None:
    workspace = await create_workspace(member, template, "dev")
    token = (await metadata_of_next(daemon)).workspace_owner_session_token
    assert await status_with(nobody, token) == 200
    await create_build(member, workspace, transition)
    assert (await metadata_of_next(daemon)).workspace_owner_session_token == ""
    assert await status_with(nobody, token) == 401


async def test_each_start_has_a_token_of_its_own(
    daemon: Daemon, template: Body, member: Client, nobody: Client
) -> None:
    workspace = await create_workspace(member, template, "dev")
    first = (await metadata_of_next(daemon)).workspace_owner_session_token
    await create_build(member, workspace, "start")
    second = (await metadata_of_next(daemon)).workspace_owner_session_token
    assert [await status_with(nobody, token) for token in (first, second)] == [401, 200]


async def test_a_suspended_owner_gets_no_token(daemon: Daemon, template: Body, owner: Client, member: Client) -> None:
    await create_workspace(member, template, "dev")
    checked(await owner.put(f"/users/{member.user_id}/status/suspend"))
    assert (await metadata_of_next(daemon)).workspace_owner_session_token == ""


async def test_the_roles_of_the_owner_have_coders_names(daemon: Daemon, template: Body, people: People) -> None:
    admin = await people.with_roles("template-admin")
    await create_workspace(admin, template, "dev")
    metadata = await metadata_of_next(daemon)
    assert [(role.name, role.org_id) for role in metadata.workspace_owner_rbac_roles] == [
        ("template-admin", ""),
        ("member", ""),
        ("organization-member", template["organization_id"]),
    ]


async def test_a_build_knows_the_values_of_the_one_before(daemon: Daemon, owner: Client) -> None:
    parameters = [pb.RichParameter(name="region", type="string", mutable=True, default_value="eu")]
    template = await build_template(owner, daemon, "cloud", rich_parameters=parameters)
    workspace = await create_workspace(owner, template, "dev")
    first = await daemon.acquire()
    await daemon.complete(first)
    await create_build(owner, workspace, "start", rich_parameter_values=[{"name": "region", "value": "us"}])
    second = (await daemon.acquire()).workspace_build
    assert list(first.workspace_build.previous_parameter_values) == []
    assert list(second.previous_parameter_values) == [pb.RichParameterValue(name="region", value="eu")]
    assert list(second.rich_parameter_values) == [pb.RichParameterValue(name="region", value="us")]


async def test_an_import_has_the_group_that_everybody_is_in(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    metadata = (await daemon.acquire()).template_import.metadata
    assert list(metadata.workspace_owner_groups) == ["Everyone"]
    assert metadata.template_version_id == version["id"]


class TestWithoutSessionTokens:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return dataclasses.replace(settings, workspace_session_tokens=False)

    async def test_a_workspace_that_starts_gets_none(self, daemon: Daemon, template: Body, member: Client) -> None:
        await create_workspace(member, template, "dev")
        assert (await metadata_of_next(daemon)).workspace_owner_session_token == ""
        assert (await member.get("/users/me/keys/tokens")).json() == []
