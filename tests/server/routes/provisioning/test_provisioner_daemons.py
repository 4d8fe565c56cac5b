"""The list of provisioner daemons."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from coder_enterprise.server.errors import Forbidden
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Feature
from coder_enterprise.server.services.provisioning import provisioner_daemons
from tests.support.api import Client, refused
from tests.support.provisioners import Daemon, create_version, session_of
from tests.support.templates import as_the_sdk

PSK = "a-long-pre-shared-key"
DAEMONS = "/organizations/default/provisionerdaemons"
SERVE = f"{DAEMONS}/serve"
KEYS = "/organizations/default/provisionerkeys"


async def listed(client: Client, **filters: Any) -> list[dict[str, Any]]:
    answer = await client.get(DAEMONS, params=filters)
    assert answer.status_code == 200
    daemons: list[dict[str, Any]] = answer.json()
    return daemons


async def test_no_daemon_is_an_empty_list(member: Client) -> None:
    assert await listed(member) == []


async def test_the_list_has_exactly_the_fields_of_the_page(daemon: Daemon, member: Client) -> None:
    (shown,) = await listed(member)
    assert set(shown) == {"id", "created_at", "updated_at", "name", "provisioners", "tags"}
    assert shown["name"] == "first"
    assert shown["provisioners"] == ["echo"]
    assert shown["tags"] == {"scope": "organization", "owner": ""}
    assert shown["updated_at"] == {"time": shown["updated_at"]["time"], "valid": True}


async def test_the_sdk_sees_what_a_daemon_does(daemon: Daemon, services: Services, owner: Client) -> None:
    await create_version(owner)
    first = await daemon.acquire()
    await daemon.fail(first, "broken")
    await create_version(owner)
    second = await daemon.acquire()
    async with as_the_sdk(services, owner) as sdk:
        (shown,) = await listed(sdk)
    assert (shown["status"], shown["key_name"], shown["api_version"]) == ("busy", "user-auth", "1.0")
    assert shown["current_job"]["id"] == second.job_id
    assert (shown["previous_job"]["id"], shown["previous_job"]["status"]) == (first.job_id, "failed")
    assert "updated_at" not in shown


async def test_a_daemon_that_is_not_seen_for_long_is_offline(
    daemon: Daemon, services: Services, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with as_the_sdk(services, owner) as sdk:
        assert (await listed(sdk))[0]["status"] == "idle"
        monkeypatch.setattr(provisioner_daemons, "now", lambda: now() + timedelta(seconds=91))
        assert await listed(sdk) == await listed(sdk, status="idle,busy") == []
        assert (await listed(sdk, offline=True))[0]["status"] == "offline"
        assert (await listed(sdk, status="offline"))[0]["status"] == "offline"
        assert (await listed(sdk, status="busy", offline=True))[0]["status"] == "offline"
        assert await listed(sdk, offline=True, max_age="1m") == []
        assert len(await listed(sdk, offline=True, max_age="2m")) == 1


async def test_the_list_is_narrowed_as_the_sdk_asks(address: str, services: Services, owner: Client) -> None:
    async with (
        Daemon(address, session_of(owner), name="idle", tags={"zone": "eu"}),
        Daemon(address, session_of(owner), name="busy") as busy,
        as_the_sdk(services, owner) as sdk,
    ):
        await create_version(owner)
        await busy.acquire()
        newest, oldest = await listed(sdk)
        assert [daemon["name"] for daemon in (newest, oldest)] == ["busy", "idle"]
        assert await listed(sdk, limit=1) == await listed(sdk, status="busy") == [newest]
        assert await listed(sdk, ids=oldest["id"]) == await listed(sdk, tags='{"zone": "eu"}') == [oldest]
        assert await listed(sdk, status="idle,busy") == await listed(sdk, status=["idle", "busy"]) == [newest, oldest]
        assert await listed(sdk, limit=0, ids=f"{oldest['id']},{newest['id']}") == [newest, oldest]


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"status": "away"}, "status"),
        ({"ids": "x"}, "ids"),
        ({"tags": "zone=eu"}, "tags"),
        ({"tags": '{"zone": 1}'}, "tags"),
        ({"limit": -1}, "limit"),
        ({"max_age": "soon"}, "max_age"),
        ({"name": "first"}, "name"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused(owner: Client, filters: dict[str, Any], field: str) -> None:
    answer = await owner.get(DAEMONS, params=filters)
    assert answer.status_code == 400
    assert field in answer.text


async def test_the_list_of_an_unknown_organization_is_not_found(member: Client) -> None:
    refused(await member.get(f"/organizations/{uuid.uuid4()}/provisionerdaemons"), 404)


async def test_the_list_needs_a_session(nobody: Client) -> None:
    refused(await nobody.get(DAEMONS), 401)


@pytest.mark.parametrize("path", [DAEMONS, f"{SERVE}?tag=x", KEYS])
async def test_without_the_feature_everything_is_forbidden_even_to_nobody(
    services: Services, nobody: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(feature: Feature) -> None:
        raise Forbidden(f"There is no {feature}.")

    monkeypatch.setattr(services.entitlements, "require", refuse)
    assert "external_provisioner_daemons" in refused(await nobody.get(path), 403)["message"]
