"""Who may serve as a provisioner daemon."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.services.all import Context, Services
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from tests.support.api import Client, checked, refused
from tests.support.provisioners import Daemon, serve_url, session_of

PSK = "a-long-pre-shared-key"
DAEMONS = "/organizations/default/provisionerdaemons"
SERVE = f"{DAEMONS}/serve"
KEYS = "/organizations/default/provisionerkeys"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With a pre-shared key."""
    return dataclasses.replace(settings, provisioner_daemon_psk=PSK)


@pytest.fixture
async def key(owner: Client) -> str:
    answer = await owner.post(KEYS, json={"name": "site", "tags": {"zone": "a"}})
    made: str = checked(answer)["key"]
    return made


async def listed(client: Client, **filters: Any) -> list[dict[str, Any]]:
    answer = await client.get(DAEMONS, params=filters)
    assert answer.status_code == 200
    daemons: list[dict[str, Any]] = answer.json()
    return daemons


async def refused_upgrade(address: str, headers: dict[str, str], **query: Any) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(serve_url(address, **query), additional_headers=headers):
            pass
    assert b'"message"' in (caught.value.response.body or b"")
    return caught.value.response.status_code


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("tag=zone&provisioner=echo", 400),
        ("", 400),
        ("provisioner=docker", 400),
        ("provisioner=echo&version=2.0", 400),
        ("provisioner=echo&id=x", 400),
        ("provisioner=echo", 401),
    ],
    ids=["a tag without =", "no provisioner", "an unknown one", "an API version", "an id", "nobody"],
)
async def test_a_query_that_cannot_be_read_is_refused_before_anything_else(
    nobody: Client, query: str, status: int
) -> None:
    answer = await nobody.get(f"{SERVE}?{query}")
    assert answer.status_code == status


async def test_a_request_without_an_upgrade_is_told_so(owner: Client) -> None:
    answer = await owner.get(f"{SERVE}?provisioner=echo")
    refused(answer, 426)
    assert answer.headers["upgrade"] == "websocket"


async def test_a_nul_in_a_tag_is_refused_before_the_upgrade(owner: Client) -> None:
    assert (await owner.get(f"{SERVE}?provisioner=echo&tag=a=%00")).status_code == 400


async def test_a_member_may_not_serve_the_organization(address: str, member: Client) -> None:
    assert await refused_upgrade(address, session_of(member)) == 403


async def test_nobody_may_serve_without_credentials(address: str) -> None:
    assert await refused_upgrade(address, {}) == 401


async def test_an_unknown_organization_is_not_found(owner: Client) -> None:
    refused(await owner.get(f"/organizations/{uuid.uuid4()}/provisionerdaemons/serve?provisioner=echo"), 404)


async def test_a_page_of_another_site_may_not_open_the_websocket(address: str, owner: Client) -> None:
    headers = session_of(owner) | {"Origin": "http://evil.example"}
    assert await refused_upgrade(address, headers) == 403


async def test_a_page_of_the_same_site_may(address: str, owner: Client) -> None:
    async with Daemon(address, session_of(owner) | {"Origin": f"http://{address}"}):
        assert len(await listed(owner)) == 1


async def test_a_template_admin_may_serve_with_a_cookie(address: str, template_admin: Client) -> None:
    async with Daemon(address, {"Cookie": f"coder_session_token={template_admin.token}"}):
        assert len(await listed(template_admin)) == 1


async def test_a_session_may_be_in_the_query(address: str, owner: Client) -> None:
    async with Daemon(address, {}, coder_session_token=owner.token):
        assert len(await listed(owner)) == 1


async def test_the_pre_shared_key_opens_the_organization_whatever_the_scope(address: str, owner: Client) -> None:
    async with Daemon(address, {"Coder-Provisioner-Daemon-PSK": PSK}, tags={"scope": "user", "owner": owner.user_id}):
        assert (await listed(owner))[0]["tags"] == {"scope": "organization", "owner": ""}


@pytest.mark.parametrize("psk", [PSK + "x", PSK[:-1], "\u00e9"])
async def test_a_wrong_pre_shared_key_is_refused(address: str, psk: str) -> None:
    assert await refused_upgrade(address, {"Coder-Provisioner-Daemon-PSK": psk}) == 401


async def test_without_a_setting_there_is_no_pre_shared_key(
    services: Services, settings: Settings, database: Database
) -> None:
    bare = Services(Context(dataclasses.replace(settings, provisioner_daemon_psk=""), database, services.deployment))
    await bare.entitlements.refresh()
    async with Client(create_app(bare)) as client:
        answer = await client.get(f"{SERVE}?provisioner=echo", headers={"Coder-Provisioner-Daemon-PSK": PSK})
    refused(answer, 401)


async def test_a_key_opens_with_its_own_tags(address: str, owner: Client, key: str) -> None:
    async with Daemon(address, {"Coder-Provisioner-Daemon-Key": key}):
        assert (await listed(owner))[0]["tags"] == {"scope": "organization", "owner": "", "zone": "a"}


async def test_a_key_and_tags_are_refused(address: str, key: str) -> None:
    assert await refused_upgrade(address, {"Coder-Provisioner-Daemon-Key": key}, tags={"zone": "b"}) == 400


async def test_a_key_and_another_credential_are_refused(address: str, key: str, owner: Client) -> None:
    assert await refused_upgrade(address, {"Coder-Provisioner-Daemon-Key": key, **session_of(owner)}) == 400


async def test_an_unknown_key_is_refused(address: str, key: str) -> None:
    assert await refused_upgrade(address, {"Coder-Provisioner-Daemon-Key": key[::-1]}) == 401


async def test_a_websocket_that_is_nowhere_is_not_found(address: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"ws://{address}/api/v2/nothing"):
            pass
    assert caught.value.response.status_code == 404
    assert caught.value.response.headers["X-Coder-Build-Version"]


async def test_a_fault_before_the_upgrade_is_an_answer(
    address: str, owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(services.daemon_sessions, "register", break_down)
    assert await refused_upgrade(address, session_of(owner)) == 500
