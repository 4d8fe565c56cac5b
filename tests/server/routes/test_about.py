"""What the server says of itself, and of what those who ask may do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import pytest

from coder_enterprise.server.routes.refused import REFUSED
from coder_enterprise.server.services.all import Context, Services
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from tests.support.api import (
    PASSWORD,
    SITE,
    UNKNOWN_ID,
    Body,
    Client,
    People,
    checked,
    create_group,
    create_user,
    refused,
)
from tests.support.provisioners import Daemon, create_build, create_workspace
from tests.support.templates import create_private_template, grant

HOUR: Final = 3600 * 10**9
"""Nanoseconds."""


async def stats(client: Client) -> Body:
    workspaces: Body = checked(await client.get("/deployment/stats"))["workspaces"]
    return {name: count for name, count in workspaces.items() if count and isinstance(count, int)}


async def test_nothing_is_said_to_be_there_that_is_not(owner: Client, nobody: Client) -> None:
    version = checked(await nobody.get("/buildinfo"))["version"]
    assert checked(await nobody.get("/updatecheck")) == {"current": True, "version": version, "url": ""}
    for path, expected in {
        "/experiments": [],
        "/experiments/available": [],
        "/applications/host": {"host": ""},
        "/deployment/ssh": {"hostname_prefix": "coder.", "hostname_suffix": "coder", "ssh_config_options": {}},
    }.items():
        assert checked(await owner.get(path)) == expected


async def test_the_settings_are_told_without_their_secrets(
    database: Database, settings: Settings, services: Services, people: People
) -> None:
    told = replace(settings, rate_limit=100, proxy_health_interval=5.0)
    told = replace(told, scim_auth_header="s3cret", provisioner_daemon_psk="s3cret", pg_connection_url="s3cret")
    made = Services(Context(told, database, services.deployment))
    owner = await people.actor(await people.owner())
    config = made.deployment_configs.get(owner).model_dump_json()
    values = json.loads(config)["config"]
    assert (values["access_url"], values["rate_limit"]["api"]) == (SITE, 100)
    assert (values["proxy_health_status_interval"], values["retention"]["api_keys"]) == (5 * 10**9, 7 * 24 * HOUR)
    assert "s3cret" not in config


async def test_the_settings_are_told_to_owners_and_auditors(auditor: Client, template_admin: Client) -> None:
    assert checked(await auditor.get("/deployment/config"))["options"] == []
    refused(await template_admin.get("/deployment/config"), 403)


async def test_workspaces_are_counted_by_what_they_do(owner: Client, daemon: Daemon, template: Body) -> None:
    assert await stats(owner) == {}
    one = await create_workspace(owner, template, "one")
    await create_workspace(owner, template, "two")
    assert await stats(owner) == {"pending": 2}
    first = await daemon.acquire()
    assert await stats(owner) == {"pending": 1, "building": 1}
    await daemon.complete(first)
    await daemon.fail(await daemon.acquire(), "no")
    assert await stats(owner) == {"running": 1, "failed": 1}
    await create_build(owner, one, "stop")
    await daemon.complete(await daemon.acquire())
    assert await stats(owner) == {"stopped": 1, "failed": 1}


@pytest.mark.parametrize("route", sorted(REFUSED), ids=" ".join)
async def test_a_feature_that_is_not_there_is_refused_by_its_name(
    owner: Client, nobody: Client, route: tuple[str, str]
) -> None:
    path = route[1].format(
        template=UNKNOWN_ID,
        workspace=UNKNOWN_ID,
        session=UNKNOWN_ID,
        agent="main",
        key="mine",
        organization="default",
        role="mine",
    )
    refused(await nobody.request(route[0], path), 401)
    assert REFUSED[route] in refused(await owner.request(route[0], path), 403)["detail"]
    assert checked(await owner.get("/entitlements"))["features"][REFUSED[route]]["enabled"] is False


async def may(client: Client, action: str, resource_type: str, **more: str) -> bool:
    check = {"object": {"resource_type": resource_type, **more}, "action": action}
    answer: bool = checked(await client.post("/authcheck", json={"checks": {"asked": check}}))["asked"]
    return answer


async def test_each_is_told_what_they_may(owner: Client, auditor: Client, member: Client) -> None:
    for action, resource, expected in (
        ("read", "user", (True, True, False)),
        ("create", "template", (True, False, False)),
        ("read", "audit_log", (True, True, False)),
        ("read", "deployment_config", (True, True, False)),
        ("update", "deployment_config", (True, False, False)),
        ("assign", "assign_role", (True, False, False)),
        ("read", "assign_role", (True, True, True)),
        ("read", "provisioner_daemon", (True, True, True)),
        ("read", "provisioner_jobs", (True, False, False)),
        ("read", "organization", (True, True, True)),
        ("read", "organization_member", (True, True, False)),
        ("delete", "workspace", (True, False, False)),
        ("read", "notification_template", (False, False, False)),
        ("fly", "user", (False, False, False)),
    ):
        assert tuple([await may(client, action, resource) for client in (owner, auditor, member)]) == expected


async def test_what_is_ones_own_is_told_apart(owner: Client, member: Client) -> None:
    for action in ("read", "start", "stop", "delete"):
        assert await may(member, action, "workspace", owner_id="me")
    assert await may(member, "update_personal", "user", resource_id=member.user_id)
    assert not await may(member, "read", "workspace", owner_id=owner.user_id)
    assert not await may(member, "update", "user", resource_id=owner.user_id)


async def test_what_is_shared_is_told_apart(owner: Client, member: Client) -> None:
    template = await create_private_template(owner, "docker")
    group = await create_group(owner, "platform")
    assert not await may(member, "read", "template", resource_id=template["id"])
    assert not await may(member, "read", "group", resource_id=group["id"])
    await grant(owner, template, users={member.user_id: "use"})
    checked(await owner.patch(f"/groups/{group['id']}", json={"add_users": [member.user_id]}))
    assert await may(member, "read", "template", resource_id=template["id"])
    assert not await may(member, "update", "template", resource_id=template["id"])
    assert await may(member, "read", "group", resource_id=group["id"])


async def test_who_has_more_powers_is_told_apart(user_admin: Client, owner: Client) -> None:
    ann = await create_user(owner, "ann")
    assert await may(user_admin, "delete", "user", resource_id=ann["id"])
    assert not await may(user_admin, "delete", "user", resource_id=owner.user_id)


async def test_nobody_may_anything_with_what_is_not_there(owner: Client) -> None:
    for resource in ("user", "template", "group", "workspace"):
        assert not await may(owner, "read", resource, resource_id=UNKNOWN_ID)


async def test_too_many_checks_are_refused(owner: Client) -> None:
    check = {"object": {"resource_type": "user"}, "action": "read"}
    refused(await owner.post("/authcheck", json={"checks": {str(number): check for number in range(101)}}), 400)


async def test_a_password_is_tried_before_it_is_set(member: Client) -> None:
    good = checked(await member.post("/users/validate-password", json={"password": PASSWORD}))
    assert good == {"valid": True, "details": ""}
    bad = checked(await member.post("/users/validate-password", json={"password": "1234"}))
    assert bad["valid"] is False
    assert bad["details"]
