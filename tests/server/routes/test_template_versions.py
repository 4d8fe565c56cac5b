"""Versions of templates: who may make them, see them, cancel them and make them active."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Body, Client, checked, refused
from tests.support.provisioners import Daemon, build_template, create_version, create_workspace, upload
from tests.support.templates import create_template, grant

VERSIONS = "/organizations/default/templateversions"
NONE = "11111111-1111-4111-8111-111111111111"


async def new_version(client: Client, daemon: Daemon, template: Body, name: str) -> Body:
    version = await create_version(client, template_id=template["id"], name=name)
    await daemon.complete(await daemon.acquire())
    return version


async def test_a_version_waits_for_a_daemon(template_admin: Client) -> None:
    version = await create_version(template_admin, name="v1", message="first", tags={"zone": "eu"})
    assert (version["name"], version["message"], version["template_id"]) == ("v1", "first", None)
    assert version["created_by"]["id"] == template_admin.user_id
    assert (version["job"]["status"], version["job"]["type"]) == ("pending", "template_version_import")
    assert version["job"]["tags"] == {"scope": "organization", "owner": "", "zone": "eu"}
    assert version["job"]["input"]["template_version_id"] == version["id"]
    assert checked(await template_admin.get(f"/templateversions/{version['id']}")) == version


async def test_a_template_takes_over_the_version_that_it_is_made_of(owner: Client, template: Body) -> None:
    (version,) = (await owner.get(f"/templates/{template['id']}/versions")).json()
    assert version["template_id"] == template["id"]
    assert version["id"] == template["active_version_id"]


async def test_a_version_makes_one_template(owner: Client, template: Body) -> None:
    body = {"name": "other", "template_version_id": template["active_version_id"]}
    refused(await owner.post("/organizations/default/templates", json=body), 400, "template_version_id")


async def test_no_template_is_made_of_a_version_that_is_not_there(owner: Client) -> None:
    body = {"name": "other", "template_version_id": NONE}
    refused(await owner.post("/organizations/default/templates", json=body), 404)
    assert (await owner.get("/organizations/default/templates")).json() == []


async def test_a_version_whose_job_has_succeeded_is_made_active(owner: Client, daemon: Daemon, template: Body) -> None:
    second = await new_version(owner, daemon, template, "second")
    checked(await owner.patch(f"/templates/{template['id']}/versions", json={"id": second["id"]}))
    shown = checked(await owner.get(f"/templates/{template['id']}"))
    assert shown["active_version_id"] == second["id"]


async def test_versions_are_listed_in_pages(owner: Client, daemon: Daemon, template: Body) -> None:
    for name in ("second", "third"):
        await new_version(owner, daemon, template, name)
    path = f"/templates/{template['id']}/versions"
    first, second, third = (await owner.get(path)).json()
    assert (await owner.get(path, params={"limit": 1, "offset": 1})).json() == [second]
    assert (await owner.get(path, params={"limit": 5, "after_id": first["id"]})).json() == [second, third]
    assert (await owner.get(path, params={"after_id": third["id"]})).json() == []


async def test_nothing_comes_after_a_version_of_another_template(owner: Client, daemon: Daemon, template: Body) -> None:
    other = await build_template(owner, daemon, "other")
    params = {"after_id": other["active_version_id"]}
    refused(await owner.get(f"/templates/{template['id']}/versions", params=params), 400, "after_id")


async def test_a_version_that_was_not_built_is_not_made_active(owner: Client, daemon: Daemon, template: Body) -> None:
    waiting = await create_version(owner, template_id=template["id"])
    refused(await owner.patch(f"/templates/{template['id']}/versions", json={"id": waiting["id"]}), 400, "id")
    await daemon.fail(await daemon.acquire(), "broken")
    body = refused(await owner.patch(f"/templates/{template['id']}/versions", json={"id": waiting["id"]}), 400, "id")
    assert body["detail"] == "broken"


async def test_a_version_of_another_template_is_not_made_active(owner: Client, daemon: Daemon, template: Body) -> None:
    other = await build_template(owner, daemon, "other")
    body = {"id": other["active_version_id"]}
    refused(await owner.patch(f"/templates/{template['id']}/versions", json=body), 400, "id")


async def test_an_admin_of_the_template_makes_versions_active(
    owner: Client, member: Client, daemon: Daemon, template: Body
) -> None:
    await grant(owner, template, users={member.user_id: "admin"})
    second = await new_version(member, daemon, template, "second")
    checked(await member.patch(f"/templates/{template['id']}/versions", json={"id": second["id"]}))


async def test_a_name_that_the_template_has_is_a_conflict(owner: Client, template: Body) -> None:
    body = {"storage_method": "file", "provisioner": "echo", "file_id": await upload(owner)}
    body |= {"template_id": template["id"], "name": "docker-1"}
    refused(await owner.post(VERSIONS, json=body), 409, "name")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"storage_method": "git"}, "storage_method"),
        ({"provisioner": "docker"}, "provisioner"),
        ({"file_id": "x"}, "file_id"),
        ({"file_id": NONE}, "file_id"),
        ({"name": "a b"}, "name"),
        ({"message": "x" * 2000}, "message"),
        ({"template_id": "x"}, "template_id"),
        ({"tags": {"a": "x" * 300}}, "tags"),
        ({"user_variable_values": [{"name": "a", "value": ""}] * 2}, "user_variable_values"),
    ],
)
async def test_a_version_that_cannot_be_is_refused_by_field(owner: Client, fields: dict[str, Any], field: str) -> None:
    body = {"storage_method": "file", "provisioner": "echo", "file_id": await upload(owner), **fields}
    refused(await owner.post(VERSIONS, json=body), 400, field)


async def test_the_nil_id_of_a_template_is_none(owner: Client) -> None:
    """Go's clients cannot leave an id out."""
    version = await create_version(owner, template_id="00000000-0000-0000-0000-000000000000")
    assert version["template_id"] is None


async def test_the_file_of_somebody_else_makes_no_version(
    owner: Client, member: Client, daemon: Daemon, template: Body
) -> None:
    await grant(owner, template, users={member.user_id: "admin"})
    body = {"storage_method": "file", "provisioner": "echo", "file_id": await upload(owner, b"secret")}
    refused(await member.post(VERSIONS, json=body | {"template_id": template["id"]}), 400, "file_id")


async def test_who_may_only_use_a_template_neither_makes_nor_cancels_its_versions(
    owner: Client, member: Client, daemon: Daemon, template: Body
) -> None:
    waiting = await create_version(owner, template_id=template["id"])
    body = {"storage_method": "file", "provisioner": "echo", "file_id": await upload(member)}
    refused(await member.post(VERSIONS, json=body), 403)
    refused(await member.post(VERSIONS, json=body | {"template_id": template["id"]}), 403)
    refused(await member.patch(f"/templateversions/{waiting['id']}/cancel"), 403)
    refused(await member.patch(f"/templates/{template['id']}/versions", json={"id": waiting["id"]}), 403)


async def test_the_versions_of_a_hidden_template_are_not_found(
    owner: Client, member: Client, daemon: Daemon, template: Body
) -> None:
    await grant(owner, template, groups={template["organization_id"]: ""})
    version = f"/templateversions/{template['active_version_id']}"
    for path in (version, f"{version}/logs", f"{version}/resources", f"/templates/{template['id']}/versions"):
        refused(await member.get(path), 404)
    refused(await member.patch(f"{version}/cancel"), 404)
    refused(await member.patch(f"/templates/{template['id']}/versions", json={"id": NONE}), 404)
    body = {"storage_method": "file", "provisioner": "echo", "file_id": await upload(member)}
    refused(await member.post(VERSIONS, json=body | {"template_id": template["id"]}), 404)


async def test_a_version_without_a_template_is_not_found_by_others(template_admin: Client, member: Client) -> None:
    version = await create_version(template_admin)
    refused(await member.get(f"/templateversions/{version['id']}"), 404)


async def test_a_job_that_has_ended_cannot_be_canceled(owner: Client, template: Body) -> None:
    refused(await owner.patch(f"/templateversions/{template['active_version_id']}/cancel"), 400)


async def test_a_job_is_canceled_once(owner: Client, daemon: Daemon) -> None:
    version = await create_version(owner)
    await daemon.acquire()
    checked(await owner.patch(f"/templateversions/{version['id']}/cancel"))
    refused(await owner.patch(f"/templateversions/{version['id']}/cancel"), 400)


async def test_resources_are_there_when_the_job_has_ended(owner: Client) -> None:
    version = await create_version(owner)
    refused(await owner.get(f"/templateversions/{version['id']}/resources"), 400)


async def test_a_template_with_workspaces_is_not_deleted(owner: Client, template: Body) -> None:
    await create_workspace(owner, template, "dev")
    refused(await owner.delete(f"/templates/{template['id']}"), 400)


async def test_versions_need_a_session(nobody: Client) -> None:
    refused(await nobody.post(VERSIONS, json={}), 401)
    for path in (f"/templateversions/{NONE}", f"/templateversions/{NONE}/logs", f"/templateversions/{NONE}/resources"):
        refused(await nobody.get(path), 401)
    refused(await nobody.patch(f"/templateversions/{NONE}/cancel"), 401)
    refused(await nobody.get(f"/templates/{NONE}/versions"), 401)
    refused(await nobody.patch(f"/templates/{NONE}/versions", json={}), 401)


async def test_what_is_no_id_is_refused_and_what_is_not_there_not_found(owner: Client) -> None:
    refused(await owner.get("/templateversions/x"), 400)
    refused(await owner.get(f"/templateversions/{NONE}"), 404)
    refused(await owner.get(f"/templates/{NONE}/versions"), 404)
    refused(
        await owner.post(
            f"/organizations/{NONE}/templateversions", json={"storage_method": "file", "provisioner": "echo"}
        ),
        404,
    )
    template = await create_template(owner, "bare")
    refused(await owner.patch(f"/templates/{template['id']}/versions", json={"id": "x"}), 400, "id")
