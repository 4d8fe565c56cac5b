"""/templates and /organizations/{organization}/templates."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.support.api import UNKNOWN_ID, Body, Client, checked, refused
from tests.support.licenses import Claims
from tests.support.provisioners import create_version
from tests.support.templates import create_private_template, create_template, grant

LIST = "/organizations/default/templates"


async def names(client: Client) -> list[str]:
    answer = await client.get(LIST)
    assert answer.status_code == 200
    return [item["name"] for item in answer.json()]


async def test_a_new_template_has_coders_fields_and_defaults(owner: Client) -> None:
    template = await create_template(owner, "docker", display_name="Docker", description="d", icon="/icon/docker.svg")
    identity = {key: template.pop(key) for key in ("id", "created_at", "updated_at", "organization_id")}
    assert UUID(identity["id"]).version == 4
    assert template == {
        "organization_name": "coder",
        "organization_display_name": "Coder",
        "organization_icon": "",
        "name": "docker",
        "display_name": "Docker",
        "provisioner": "terraform",
        "active_version_id": str(UUID(int=0)),
        "active_user_count": -1,
        "build_time_stats": {name: {"P50": None, "P95": None} for name in ("start", "stop", "delete")},
        "description": "d",
        "deprecated": False,
        "deprecation_message": "",
        "icon": "/icon/docker.svg",
        "default_ttl_ms": 0,
        "activity_bump_ms": 3_600_000,
        "autostop_requirement": {"days_of_week": [], "weeks": 1},
        "autostart_requirement": {
            "days_of_week": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        },
        "created_by_id": owner.user_id,
        "created_by_name": "olivia",
        "allow_user_autostart": True,
        "allow_user_autostop": True,
        "allow_user_cancel_workspace_jobs": True,
        "failure_ttl_ms": 0,
        "time_til_dormant_ms": 0,
        "time_til_dormant_autodelete_ms": 0,
        "require_active_version": False,
        "max_port_share_level": "owner",
        "cors_behavior": "simple",
        "use_classic_parameter_flow": True,
    }


async def test_what_is_sent_is_kept(owner: Client) -> None:
    version = (await create_version(owner))["id"]
    template = await create_template(
        owner,
        "docker",
        template_version_id=version,
        default_ttl_ms=7_200_000,
        dormant_ttl_ms=60_000,
        delete_ttl_ms=120_000,
        autostop_requirement={"days_of_week": ["friday", "monday"], "weeks": 0},
        allow_user_autostop=False,
    )
    found = checked(await owner.get(f"/templates/{template['id']}"))
    assert found == template
    assert found["active_version_id"] == version
    assert (found["default_ttl_ms"], found["time_til_dormant_ms"]) == (7_200_000, 60_000)
    assert found["time_til_dormant_autodelete_ms"] == 120_000
    assert found["autostop_requirement"] == {"days_of_week": ["monday", "friday"], "weeks": 1}
    assert found["allow_user_autostop"] is False


async def test_a_template_is_found_by_name_in_any_case(owner: Client) -> None:
    template = await create_template(owner, "Docker")
    assert checked(await owner.get(f"{LIST}/dOCKER"))["id"] == template["id"]
    refused(await owner.get(f"{LIST}/other"), 404)


async def test_the_list_is_by_name(owner: Client) -> None:
    for name in ("zeta", "Beta", "alpha"):
        await create_template(owner, name)
    assert await names(owner) == ["alpha", "Beta", "zeta"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a b"),
        ("name", "a--b"),
        ("name", "-a"),
        ("name", "new"),
        ("name", "Create"),
        ("name", "a" * 33),
        ("name", "../../etc/passwd"),
        ("name", "x'; DROP TABLE templates; --"),
        ("display_name", " x"),
        ("display_name", "x" * 65),
        ("description", "x" * 128),
        ("icon", "x" * 257),
        ("default_ttl_ms", -1),
        ("activity_bump_ms", -1),
        ("default_ttl_ms", 2**63),
        ("failure_ttl_ms", 59_999),
        ("autostop_requirement", {"days_of_week": ["someday"]}),
        ("autostop_requirement", {"days_of_week": ["monday", "monday"]}),
        ("autostop_requirement", {"weeks": 17}),
        ("autostart_requirement", {"days_of_week": ["Monday"]}),
        ("max_port_share_level", "world"),
        ("cors_behavior", "open"),
        ("template_version_id", "1"),
    ],
)
async def test_a_field_that_breaks_a_rule_is_refused_by_its_name(owner: Client, field: str, value: object) -> None:
    refused(await owner.post(LIST, json={"name": "docker", field: value}), 400, field)
    assert await names(owner) == []


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b'{"name": 1}', b'{"name": "a", "default_ttl_ms": 1.5}'])
async def test_a_body_that_cannot_be_read_is_refused(owner: Client, content: bytes) -> None:
    assert (await owner.post(LIST, content=content)).status_code == 400


async def test_a_name_that_is_taken_in_any_case_is_refused(owner: Client) -> None:
    await create_template(owner, "docker")
    refused(await owner.post(LIST, json={"name": "DOCKER"}), 409, "name")


async def test_a_patch_changes_what_it_names_and_keeps_the_rest(owner: Client) -> None:
    template = await create_template(owner, "docker", description="old", default_ttl_ms=60_000)
    changed = checked(
        await owner.patch(
            f"/templates/{template['id']}",
            json={"name": "podman", "description": "", "time_til_dormant_ms": 60_000, "deprecation_message": "old"},
        )
    )
    different = {key: value for key, value in changed.items() if template[key] != value}
    assert different.pop("updated_at") > template["updated_at"]
    assert different == {
        "name": "podman",
        "description": "",
        "time_til_dormant_ms": 60_000,
        "deprecation_message": "old",
        "deprecated": True,
    }
    assert checked(await owner.get(f"/templates/{template['id']}")) == changed


async def test_an_empty_patch_changes_nothing(owner: Client) -> None:
    template = await create_template(owner, "docker")
    assert checked(await owner.patch(f"/templates/{template['id']}", json={"name": ""})) == template


async def test_a_patch_is_held_to_the_same_rules(owner: Client) -> None:
    template = await create_template(owner, "docker")
    await create_template(owner, "podman")
    path = f"/templates/{template['id']}"
    refused(await owner.patch(path, json={"name": "a b", "failure_ttl_ms": 1}), 400, "name", "failure_ttl_ms")
    refused(await owner.patch(path, json={"name": "Podman"}), 409, "name")
    assert checked(await owner.patch(path, json={"name": "Docker"}))["name"] == "Docker"


async def test_a_patch_can_take_everyones_access_away(owner: Client, member: Client) -> None:
    template = await create_template(owner, "docker")
    assert await names(member) == ["docker"]
    checked(await owner.patch(f"/templates/{template['id']}", json={"disable_everyone_group_access": True}))
    assert await names(member) == []


async def test_a_deleted_template_is_gone_and_its_name_free(owner: Client) -> None:
    template = await create_template(owner, "docker")
    checked(await owner.delete(f"/templates/{template['id']}"))
    refused(await owner.get(f"/templates/{template['id']}"), 404)
    refused(await owner.get(f"/templates/{template['id']}/acl"), 404)
    refused(await owner.delete(f"/templates/{template['id']}"), 404)
    assert await names(owner) == []
    await create_template(owner, "docker")


async def test_without_a_role_a_template_does_not_exist(owner: Client, member: Client, user_admin: Client) -> None:
    template = await create_private_template(owner, "secret")
    for client in (member, user_admin):
        assert await names(client) == []
        refused(await client.get(f"/templates/{template['id']}"), 404)
        refused(await client.get(f"{LIST}/secret"), 404)
        refused(await client.patch(f"/templates/{template['id']}", json={"name": "mine"}), 404)
        refused(await client.delete(f"/templates/{template['id']}"), 404)


async def test_a_template_admin_may_do_all_and_an_auditor_reads(
    owner: Client, template_admin: Client, auditor: Client
) -> None:
    template = await create_private_template(owner, "secret")
    path = f"/templates/{template['id']}"
    assert checked(await auditor.get(path))["name"] == "secret"
    assert await names(auditor) == ["secret"]
    refused(await auditor.patch(path, json={"name": "mine"}), 403)
    refused(await auditor.delete(path), 403)
    refused(await auditor.post(LIST, json={"name": "mine"}), 403)
    assert checked(await template_admin.patch(path, json={"name": "ours"}))["name"] == "ours"
    checked(await template_admin.delete(path))
    await create_template(template_admin, "another")


async def test_a_user_may_not_change_what_they_may_use(owner: Client, member: Client) -> None:
    template = await create_template(owner, "docker")
    path = f"/templates/{template['id']}"
    assert checked(await member.get(path)) == template
    refused(await member.patch(path, json={"name": "mine"}), 403)
    refused(await member.delete(path), 403)
    refused(await member.post(LIST, json={"name": "mine"}), 403)


async def test_the_role_admin_lets_a_member_change_and_delete(owner: Client, member: Client) -> None:
    template = await create_private_template(owner, "docker")
    await grant(owner, template, users={member.user_id: "admin"})
    path = f"/templates/{template['id']}"
    assert checked(await member.patch(path, json={"description": "mine"}))["description"] == "mine"
    checked(await member.delete(path))


@pytest.mark.parametrize(("reference", "status"), [("docker", 400), ("..%2f..%2fetc", 404), (UNKNOWN_ID, 404)])
async def test_an_unknown_template_is_refused(owner: Client, reference: str, status: int) -> None:
    refused(await owner.get(f"/templates/{reference}"), status)


async def test_an_unknown_organization_is_not_found(owner: Client) -> None:
    refused(await owner.get(f"/organizations/{uuid4()}/templates"), 404)
    refused(await owner.post("/organizations/nowhere/templates", json={"name": "docker"}), 404)


async def test_each_change_is_in_the_audit_log(owner: Client) -> None:
    template = await create_template(owner, "docker")
    checked(await owner.patch(f"/templates/{template['id']}", json={"description": "new"}))
    checked(await owner.delete(f"/templates/{template['id']}"))
    logs: list[Body] = checked(await owner.get("/audit", params={"q": "resource_type:template"}))["audit_logs"]
    assert [log["action"] for log in logs] == ["delete", "write", "create"]
    assert logs[1]["diff"] == {"description": {"old": "", "new": "new", "secret": False}}


class TestWithoutALicence:
    @pytest.fixture
    def license_claims(self) -> Claims | None:
        return None

    async def test_ports_are_shared_without_a_limit(self, owner: Client) -> None:
        template = await create_template(owner, "docker")
        assert template["max_port_share_level"] == "public"
        shown = checked(await owner.get(f"/templates/{template['id']}"))
        assert shown["max_port_share_level"] == "public"

    async def test_the_limit_that_a_client_has_read_can_be_sent_back(self, owner: Client) -> None:
        template = await create_template(owner, "docker", max_port_share_level="public")
        body = {"max_port_share_level": template["max_port_share_level"], "icon": "/icon/docker.svg"}
        assert checked(await owner.patch(f"/templates/{template['id']}", json=body))["icon"] == "/icon/docker.svg"

    @pytest.mark.parametrize("level", ["owner", "authenticated", "organization"])
    async def test_a_limit_needs_a_licence(self, owner: Client, level: str) -> None:
        template = await create_template(owner, "docker")
        body = {"max_port_share_level": level}
        refused(await owner.patch(f"/templates/{template['id']}", json=body), 400, "max_port_share_level")
        refused(await owner.post(LIST, json={"name": "other", **body}), 400, "max_port_share_level")
