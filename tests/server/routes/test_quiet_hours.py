"""/users/{user}/quiet-hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.services.all import Context, Services
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.settings import Settings, SettingsError
from coder_enterprise.server.storage.database import Database
from tests.support.api import SITE, Body, Client, checked, create_user, refused
from tests.support.templates import as_the_sdk

MINE = "/users/me/quiet-hours"
BERLIN = "CRON_TZ=Europe/Berlin 5 2 * * *"


async def get(client: Client, url: str = MINE) -> Body:
    answer = await client.get(url)
    assert answer.status_code == 200
    (hours,) = answer.json()
    assert isinstance(hours, dict)
    return hours


async def restarted(database: Database, client: Client, settings: Settings) -> Client:
    """The same caller, of a server with other settings."""
    services = Services(Context(settings, database, Deployment(SITE, UUID(int=1), settings.version)))
    await services.entitlements.refresh()
    return Client(create_app(services), client.token, client.user_id)


async def test_without_a_schedule_of_ones_own_it_is_midnight_in_utc(member: Client) -> None:
    hours = await get(member)
    start = datetime.fromisoformat(hours.pop("next"))
    assert hours == {"raw_schedule": "CRON_TZ=UTC 0 0 * * *", "user_set": False, "time": "00:00", "timezone": "UTC"}
    assert (start.hour, start.minute) == (0, 0)
    assert timedelta() < start - datetime.now(UTC) <= timedelta(days=1)


async def test_a_schedule_is_kept_in_its_one_spelling(member: Client) -> None:
    answer = await member.put(MINE, json={"schedule": "CRON_TZ=Europe/Berlin  5  2 * * *"})
    assert answer.status_code == 200
    (hours,) = answer.json()
    assert hours == await get(member)
    assert (hours["raw_schedule"], hours["user_set"]) == (BERLIN, True)
    assert (hours["time"], hours["timezone"]) == ("02:05", "Europe/Berlin")
    assert datetime.fromisoformat(hours["next"]).utcoffset() in {timedelta(hours=1), timedelta(hours=2)}


@pytest.mark.parametrize("blank", ["", " ", "\t \n"])
async def test_a_blank_schedule_is_the_default_again(member: Client, blank: str) -> None:
    await member.put(MINE, json={"schedule": BERLIN})
    assert (await member.put(MINE, json={"schedule": blank})).status_code == 200
    assert (await get(member))["user_set"] is False


async def test_the_sdk_gets_one_object(services: Services, member: Client) -> None:
    hours = checked(await as_the_sdk(services, member).get(MINE))
    assert set(hours) == {"raw_schedule", "user_set", "user_can_set", "time", "timezone", "next"}
    assert hours["user_can_set"] is True


@pytest.mark.parametrize("schedule", ["@daily", "0 0 * * 1", "CRON_TZ=Mars/Olympus 0 0 * * *", "*/5 * * * *"])
async def test_a_bad_schedule_is_refused_by_its_field(member: Client, schedule: str) -> None:
    refused(await member.put(MINE, json={"schedule": schedule}), 400, "schedule")
    assert (await get(member))["user_set"] is False


@pytest.mark.parametrize("content", [b"{", b"", b"{}", b'{"schedule": null}', b'{"schedule": 5}'])
async def test_a_body_without_a_schedule_is_refused(member: Client, content: bytes) -> None:
    assert (await member.put(MINE, content=content)).status_code == 400


async def test_who_may_read_and_set_those_of_another(
    owner: Client, user_admin: Client, template_admin: Client, member: Client
) -> None:
    user = await create_user(owner, "ann")
    url = f"/users/{user['id']}/quiet-hours"
    refused(await member.get(url), 400)
    refused(await member.put(url, json={"schedule": BERLIN}), 400)
    assert (await get(template_admin, url))["user_set"] is False
    refused(await template_admin.put(url, json={"schedule": BERLIN}), 403)
    assert (await user_admin.put(url, json={"schedule": BERLIN})).status_code == 200
    refused(await user_admin.put(f"/users/{owner.user_id}/quiet-hours", json={"schedule": BERLIN}), 403)
    assert (await get(owner, url))["raw_schedule"] == BERLIN
    refused(await owner.get("/users/nobody/quiet-hours"), 400)
    checked(await owner.delete(f"/users/{user['id']}"))
    refused(await owner.put(url, json={"schedule": ""}), 404)


async def test_the_deployment_sets_the_default(database: Database, settings: Settings, member: Client) -> None:
    client = await restarted(database, member, replace(settings, quiet_hours_default_schedule=BERLIN))
    hours = await get(client)
    assert (hours["raw_schedule"], hours["user_set"]) == (BERLIN, False)


async def test_the_deployment_may_forbid_own_schedules(database: Database, settings: Settings, member: Client) -> None:
    await member.put(MINE, json={"schedule": BERLIN})
    client = await restarted(database, member, replace(settings, allow_custom_quiet_hours=False))
    refused(await client.put(MINE, json={"schedule": BERLIN}), 403)
    assert (await get(client))["user_set"] is False


async def test_a_bad_default_is_refused_at_the_start_with_its_variable(database: Database) -> None:
    settings = Settings(sqlite_path=Path("unused"), quiet_hours_default_schedule="at noon")
    with pytest.raises(SettingsError, match="CODER_QUIET_HOURS_DEFAULT_SCHEDULE"):
        Services(Context(settings, database, Deployment(SITE, UUID(int=1), settings.version)))
