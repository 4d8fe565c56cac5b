"""Values that a template suggests together: shown as the Go SDK reads them, and taken by builds that ask for them."""

from __future__ import annotations

from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import UNKNOWN_ID, Body, Client, checked, refused
from tests.support.provisioners import Daemon, build_template, create_build, create_workspace

REGION = pb.RichParameter(name="region", type="string", default_value="eu", mutable=True)
SIZE = pb.RichParameter(name="size", type="string", default_value="small", mutable=True)


def preset(name: str, **values: str) -> pb.Preset:
    return pb.Preset(
        name=name, parameters=[pb.RichParameterValue(name=key, value=value) for key, value in values.items()]
    )


async def cloud(owner: Client, daemon: Daemon, *presets: pb.Preset) -> tuple[Body, list[Body]]:
    """A template with them, and how they are shown."""
    template = await build_template(owner, daemon, "cloud", rich_parameters=[REGION, SIZE], presets=presets)
    return template, (await owner.get(f"/templateversions/{template['active_version_id']}/presets")).json()


async def test_presets_are_shown_with_the_names_of_the_go_sdk(owner: Client, daemon: Daemon) -> None:
    large = preset("large", size="large")
    large.default, large.description, large.icon = True, "For builds", "/icon/large.svg"
    large.prebuild.instances = 2
    _, (first, second) = await cloud(owner, daemon, large, preset("away", region="us"))
    assert first == {
        "ID": first["ID"],
        "Name": "large",
        "Parameters": [{"Name": "size", "Value": "large"}],
        "Default": True,
        "DesiredPrebuildInstances": 2,
        "Description": "For builds",
        "Icon": "/icon/large.svg",
    }
    assert (second["Name"], second["Default"], second["DesiredPrebuildInstances"]) == ("away", False, None)


async def test_a_workspace_takes_the_values_of_its_preset_before_those_that_are_sent(
    owner: Client, daemon: Daemon
) -> None:
    template, (shown,) = await cloud(owner, daemon, preset("large", size="large"))
    sent = [{"name": "region", "value": "us"}, {"name": "size", "value": "tiny"}]
    workspace = await create_workspace(
        owner, template, "dev", template_version_preset_id=shown["ID"], rich_parameter_values=sent
    )
    order = await daemon.acquire()
    values = {item.name: item.value for item in order.workspace_build.rich_parameter_values}
    assert values == {"region": "us", "size": "large"}
    assert workspace["latest_build"]["template_version_preset_id"] == shown["ID"]


async def test_a_build_says_with_which_preset_it_was_made(owner: Client, daemon: Daemon) -> None:
    template, (shown,) = await cloud(owner, daemon, preset("large", size="large"))
    workspace = await create_workspace(owner, template, "dev")
    await daemon.complete(await daemon.acquire())
    assert workspace["latest_build"]["template_version_preset_id"] is None
    build = await create_build(owner, workspace, "start", template_version_preset_id=shown["ID"])
    assert checked(await owner.get(f"/workspacebuilds/{build['id']}"))["template_version_preset_id"] == shown["ID"]


async def test_a_preset_of_another_version_is_refused(owner: Client, daemon: Daemon) -> None:
    template, _ = await cloud(owner, daemon, preset("large", size="large"))
    for reference in (UNKNOWN_ID, "large"):
        body = {"name": "dev", "template_id": template["id"], "template_version_preset_id": reference}
        refused(await owner.post("/users/me/workspaces", json=body), 400, "template_version_preset_id")
