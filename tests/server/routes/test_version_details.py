"""What is read of a template version besides its job, how it is found by name, and how it is renamed."""

from __future__ import annotations

import pytest

from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import UNKNOWN_ID, Body, Client, checked, refused
from tests.support.provisioners import Daemon, build_template, create_version

REGION = pb.RichParameter(
    name="region",
    display_name="Region",
    description="Where",
    type="string",
    default_value="eu",
    icon="/icon/map.svg",
    options=[pb.RichParameter.Option(name="Europe", value="eu")],
    order=2,
)
SIZE = pb.RichParameter(name="size", type="number", mutable=True, validation_min=0, validation_max=8, required=True)


async def test_parameters_are_shown_in_their_order(owner: Client, daemon: Daemon) -> None:
    version = await create_version(owner)
    await daemon.complete(await daemon.acquire(), rich_parameters=[REGION, SIZE])
    size, region = (await owner.get(f"/templateversions/{version['id']}/rich-parameters")).json()
    assert region == {
        "name": "region",
        "display_name": "Region",
        "description": "Where",
        "description_plaintext": "Where",
        "type": "string",
        "form_type": "radio",
        "mutable": False,
        "default_value": "eu",
        "icon": "/icon/map.svg",
        "options": [{"name": "Europe", "description": "", "value": "eu", "icon": ""}],
        "validation_error": "",
        "validation_regex": "",
        "validation_min": None,
        "validation_max": None,
        "validation_monotonic": "",
        "required": False,
        "ephemeral": False,
    }
    assert (size["validation_min"], size["validation_max"], size["form_type"]) == (0, 8, "input")
    assert (size["required"], size["mutable"]) == (True, True)


async def test_variables_are_shown_without_what_is_sensitive(owner: Client, daemon: Daemon) -> None:
    version = await create_version(owner, user_variable_values=[{"name": "token", "value": "s3cret"}])
    path = f"/templateversions/{version['id']}/variables"
    refused(await owner.get(path), 412)
    order = await daemon.acquire()
    zone = pb.TemplateVariable(name="zone", description="Where", type="string", default_value="eu")
    token = pb.TemplateVariable(name="token", type="string", default_value="none", required=True, sensitive=True)
    await daemon.update(order, template_variables=[zone, token])
    refused(await owner.get(path), 412)
    await daemon.complete(order)
    shown = {"description": "", "type": "string", "value": "", "default_value": "", "required": True, "sensitive": True}
    where = {"value": "eu", "default_value": "eu", "required": False, "sensitive": False}
    assert (await owner.get(path)).json() == [
        {"name": "zone", "description": "Where", "type": "string", **where},
        {"name": "token", **shown},
    ]


async def test_a_parameter_is_asked_for_by_the_form_that_the_template_names(owner: Client, daemon: Daemon) -> None:
    version = await create_version(owner)
    several = pb.RichParameter(name="zones", type="list(string)", form_type=pb.MULTISELECT)
    listed = pb.RichParameter(name="zone", type="list(string)")
    await daemon.complete(await daemon.acquire(), rich_parameters=[several, listed])
    shown = (await owner.get(f"/templateversions/{version['id']}/rich-parameters")).json()
    assert [parameter["form_type"] for parameter in shown] == ["multi-select", "tag-select"]


async def test_no_template_asks_for_accounts_elsewhere(owner: Client) -> None:
    version = await create_version(owner)
    assert (await owner.get(f"/templateversions/{version['id']}/external-auth")).json() == []


@pytest.mark.parametrize("part", ["rich-parameters", "presets", "external-auth", "variables"])
async def test_the_details_of_a_version_are_for_those_who_see_it(owner: Client, member: Client, part: str) -> None:
    version = await create_version(owner)
    refused(await member.get(f"/templateversions/{version['id']}/{part}"), 404)
    refused(await owner.get(f"/templateversions/{UNKNOWN_ID}/{part}"), 404)


async def test_versions_are_found_by_name(owner: Client, daemon: Daemon, member: Client) -> None:
    template = await build_template(owner, daemon, "docker")
    second = await create_version(owner, name="second", template_id=template["id"])
    by_id, by_names = f"/templates/{template['id']}/versions", "/organizations/default/templates/Docker/versions"
    assert checked(await owner.get(f"{by_id}/second")) == checked(await owner.get(f"{by_names}/second"))
    assert checked(await owner.get(f"{by_names}/second"))["id"] == second["id"]
    assert checked(await owner.get(f"{by_names}/second/previous"))["id"] == template["active_version_id"]
    refused(await owner.get(f"{by_names}/docker-1/previous"), 404)
    refused(await owner.get(f"{by_names}/third"), 404)
    refused(await owner.get("/organizations/default/templates/podman/versions/second"), 404)
    checked(await owner.patch(f"/templates/{template['id']}", json={"disable_everyone_group_access": True}))
    refused(await member.get(f"{by_id}/second"), 404)
    refused(await member.get(f"{by_names}/second"), 404)
    refused(await member.get(f"{by_names}/second/previous"), 404)


async def test_a_version_is_renamed(owner: Client, template: Body) -> None:
    version = await create_version(owner, name="second", template_id=template["id"], message="why")
    path = f"/templateversions/{version['id']}"
    renamed = checked(await owner.patch(path, json={"name": "third"}))
    assert (renamed["name"], renamed["message"]) == ("third", "why")
    assert checked(await owner.patch(path, json={"name": "", "message": ""}))["message"] == ""
    assert checked(await owner.get(path))["name"] == "third"
    refused(await owner.patch(path, json={"name": "docker-1"}), 409, "name")
    refused(await owner.patch(path, json={"name": "a b", "message": "x" * 2000}), 400, "name", "message")
    entries = (await owner.get("/audit", params={"q": "resource_type:template_version action:write"})).json()
    assert [entry["diff"]["name"]["new"] for entry in entries["audit_logs"] if "name" in entry["diff"]] == ["third"]


async def test_who_may_only_use_a_template_does_not_rename_its_versions(
    owner: Client, member: Client, template: Body
) -> None:
    path = f"/templateversions/{template['active_version_id']}"
    refused(await member.patch(path, json={"name": "mine"}), 403)
    refused(await member.patch(f"/templateversions/{UNKNOWN_ID}", json={"name": "mine"}), 404)
