"""What is removed when it has been kept for long enough, and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coder_enterprise.server.services import retention
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.retention import FILES_PERIOD, Retention
from coder_enterprise.server.settings import Retention as Periods
from coder_enterprise.server.settings import SettingsError, parse_retention
from coder_enterprise.server.storage.database import Database
from tests.support.api import Client, People
from tests.support.provisioners import Daemon, create_version, listening, session_of, upload

DAY = timedelta(days=1)
DEFAULTS = Periods()
SESSIONS_STAY = Periods(api_keys=timedelta())
FOR_EVER = Periods(timedelta(), timedelta(), timedelta())


async def after(
    services: Services, database: Database, monkeypatch: pytest.MonkeyPatch, days: int, periods: Periods = DEFAULTS
) -> dict[str, int]:
    """What is removed so many days from now."""
    monkeypatch.setattr(retention, "now", lambda: now() + days * DAY)
    return await Retention(database, periods).remove_old()


async def test_nothing_new_is_removed(
    services: Services, database: Database, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(owner)
    assert await after(services, database, monkeypatch, days=0) == {}


async def test_sessions_go_a_week_after_they_expired(
    services: Services, database: Database, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "api_keys" not in await after(services, database, monkeypatch, days=7)
    assert (await after(services, database, monkeypatch, days=9))["api_keys"] == 1
    assert (await owner.get("/users/me")).status_code in (200, 401)


async def test_the_audit_goes_in_batches(
    services: Services, database: Database, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await people.owner()
    monkeypatch.setattr(retention, "BATCH", 2)
    assert (await after(services, database, monkeypatch, days=366))["audit_log"] == 4


async def test_an_unused_file_goes_and_one_that_is_used_stays(
    services: Services, database: Database, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, unused = await upload(owner), await upload(owner, b"unused")
    await create_version(owner, name="v1", file_id=used)
    assert (await after(services, database, monkeypatch, FILES_PERIOD.days + 1))["files"] == 1
    assert (await owner.get(f"/files/{used}")).status_code == 200
    assert (await owner.get(f"/files/{unused}")).status_code == 404


async def test_logs_go_with_time_after_their_job(
    services: Services, database: Database, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(services) as address, Daemon(address, session_of(owner), tags={"scope": "organization"}) as d:
        await create_version(owner, name="v1")
        job = await d.acquire()
        await d.update(job, "one", "two")
        assert "provisioner_job_logs" not in await after(
            services, database, monkeypatch, days=31, periods=SESSIONS_STAY
        )
        await d.fail(job, "enough")
    assert (await after(services, database, monkeypatch, days=31, periods=SESSIONS_STAY))["provisioner_job_logs"] >= 2


async def test_what_is_for_ever_stays(
    services: Services, database: Database, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await after(services, database, monkeypatch, days=10_000, periods=FOR_EVER) == {}


@pytest.mark.parametrize(
    ("text", "period"), [("0", timedelta()), ("30d", 30 * DAY), ("12h", DAY / 2), ("1h30m", timedelta(minutes=90))]
)
def test_a_period_is_a_duration_or_days(text: str, period: timedelta) -> None:
    assert parse_retention("CODER_X_RETENTION", text) == period


@pytest.mark.parametrize("text", ["", "-1d", "soon", "1y", "9999999d", "99999d", "9999999999h"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"CODER_X_RETENTION: .* such as 30d"):
        parse_retention("CODER_X_RETENTION", text)
