"""The list of provisioner daemons, and who may serve."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import uuid
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from coder_enterprise.server.errors import Forbidden
from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.routes.dependencies import Services
from coder_enterprise.server.run import create_services
from coder_enterprise.server.services import provisioner_daemons
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Feature
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.wire.budgets import Budgets
from coder_enterprise.wire.provisioning.drpc import encode_varint
from coder_enterprise.wire.provisioning.session import SessionClosed, Stream, StreamReset
from tests.support.api import Client, checked, refused
from tests.support.provisioners import Daemon, create_version, listening, serve_url, session_of
from tests.support.serving import eventually
from tests.support.templates import as_the_sdk

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


async def listed(client: Client) -> list[dict[str, Any]]:
    answer = await client.get(DAEMONS)
    assert answer.status_code == 200
    daemons: list[dict[str, Any]] = answer.json()
    return daemons


async def refused_upgrade(address: str, headers: dict[str, str], **query: Any) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(serve_url(address, **query), additional_headers=headers):
            pass
    assert b'"message"' in (caught.value.response.body or b"")
    return caught.value.response.status_code


# The list.


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
        assert (await listed(sdk))[0]["status"] == "offline"


async def test_a_connected_daemon_is_seen_again_and_again(
    address: str, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioner_daemons, "HEARTBEAT", 0.01)
    async with Daemon(address, session_of(owner)):
        before = (await listed(owner))[0]["updated_at"]["time"]
        while (await listed(owner))[0]["updated_at"]["time"] == before:
            pass


async def test_a_daemon_that_comes_back_is_the_same(address: str, owner: Client) -> None:
    seen = []
    for version in ("1.0", "1.4"):
        async with Daemon(address, session_of(owner), name="Same", version=version):
            seen += await listed(owner)
    assert len(seen) == 2
    assert (seen[0]["id"], seen[0]["created_at"]) == (seen[1]["id"], seen[1]["created_at"])


async def test_daemons_of_other_users_are_others(address: str, owner: Client, member: Client) -> None:
    async with (
        Daemon(address, session_of(owner), name="same", tags={"scope": "user"}),
        Daemon(address, session_of(member), name="same", tags={"scope": "user", "owner": owner.user_id}),
    ):
        shown = await listed(owner)
    assert {daemon["tags"]["owner"] for daemon in shown} == {owner.user_id, member.user_id}


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


# Who may serve.


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
    bare = create_services(dataclasses.replace(settings, provisioner_daemon_psk=""), database, services.deployment)
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


async def test_a_daemon_whose_key_is_deleted_is_sent_away(
    address: str, owner: Client, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioner_daemons, "HEARTBEAT", 0.01)
    async with Daemon(address, {"Coder-Provisioner-Daemon-Key": key}) as daemon:
        assert (await owner.delete(f"{KEYS}/site")).status_code == 204
        await daemon.websocket.wait_closed()
    assert await listed(owner) == []
    assert await refused_upgrade(address, {"Coder-Provisioner-Daemon-Key": key}) == 401


async def test_no_task_is_left_of_a_daemon_that_is_gone(address: str, owner: Client) -> None:
    before = len(asyncio.all_tasks())
    async with Daemon(address, session_of(owner)) as daemon:
        acquiring = asyncio.create_task(daemon.acquire())
        await eventually(lambda: len(asyncio.all_tasks()) > before + 5)
        daemon.kill()
        with pytest.raises(SessionClosed):
            await acquiring
    await eventually(lambda: len(asyncio.all_tasks()) <= before)


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

    monkeypatch.setattr(services.provisioner_daemons, "register", break_down)
    assert await refused_upgrade(address, session_of(owner)) == 500


async def test_a_server_that_ends_says_so_to_its_daemons(services: Services, owner: Client) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with listening(services) as address:
            daemon = await stack.enter_async_context(Daemon(address, session_of(owner)))
            acquiring = asyncio.create_task(daemon.acquire())
            await eventually(lambda: services.provisioner_jobs.waiting == 1)
        with pytest.raises(SessionClosed):
            await acquiring


async def test_a_user_has_only_so_many_daemons(
    services: Services, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name is a row that stays for a week."""
    monkeypatch.setattr(provisioner_daemons, "MAX_OF_ONE_USER", 2)
    own = {"scope": "user"}
    async with listening(services) as address:
        for name in ("a", "b", "a"):
            async with Daemon(address, session_of(member), name=name, tags=own):
                pass
        with pytest.raises(InvalidStatus, match="403"):
            async with Daemon(address, session_of(member), name="c", tags=own):
                pass


async def test_a_user_connects_only_so_many_daemons_at_once(
    services: Services, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioner_daemons, "MAX_OF_ONE_USER", 1)
    own = {"scope": "user"}
    async with listening(services) as address:
        async with Daemon(address, session_of(member), name="a", tags=own):
            with pytest.raises(InvalidStatus, match="429"):
                async with Daemon(address, session_of(member), name="a", tags=own):
                    pass
        await eventually(lambda: not services.provisioner_daemons._connected.total())
        async with Daemon(address, session_of(member), name="a", tags=own):
            pass


async def test_daemons_that_come_at_the_same_time_are_counted_before_they_are_registered(
    services: Services, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioner_daemons, "MAX_OF_ONE_USER", 2)
    async with listening(services) as address, contextlib.AsyncExitStack() as stack:
        daemons = [Daemon(address, session_of(member), name="a", tags={"scope": "user"}) for _ in range(6)]
        connecting = (stack.enter_async_context(daemon) for daemon in daemons)
        outcomes = await asyncio.gather(*connecting, return_exceptions=True)
    assert sum(isinstance(outcome, Daemon) for outcome in outcomes) == 2


async def _send_half_a_packet(daemon: Daemon) -> Stream:
    """Of a thousand bytes: the rest never comes."""
    stream = await daemon.session.open()
    await stream.write(bytes([1 << 1]) + b"".join(map(encode_varint, (1, 1, 1000))) + bytes(500))
    return stream


async def test_no_user_takes_what_the_daemons_of_others_need(
    address: str, services: Services, monkeypatch: pytest.MonkeyPatch, owner: Client, member: Client
) -> None:
    held = services.provisioner_daemons._held
    monkeypatch.setattr(held, "limit", 1600)
    monkeypatch.setattr(services.provisioner_daemons, "_held_of_users", Budgets(800, held))
    async with (
        Daemon(address, session_of(member), tags={"scope": "user"}, name="one") as one,
        Daemon(address, session_of(member), tags={"scope": "user"}, name="two") as two,
        Daemon(address, session_of(owner), name="everybody's") as everybodys,
    ):
        await _send_half_a_packet(one)
        await eventually(lambda: held.taken >= 500)
        with pytest.raises(StreamReset):
            await (await _send_half_a_packet(two)).read()
        await _send_half_a_packet(everybodys)
        await eventually(lambda: held.taken >= 1000)
