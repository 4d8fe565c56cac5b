"""/metrics: requests by route, never by what a path names, and what the service has; documented as it is exposed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx2
import pytest

from coder_enterprise.process.addresses import Address, listen, url_of
from coder_enterprise.server.routes.app import Application
from coder_enterprise.server.routes.metrics import MetricsPage
from coder_enterprise.server.services import metrics
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.serving import serving_aside
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.failures import Outage
from tests.support.api import SITE, Client, create_group
from tests.support.licenses import Claims
from tests.support.provisioners import create_version
from tests.support.proxies import create_proxy

PAGE: Final = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
ROW: Final = re.compile(r"^\| `((?:coder_enterprise_server|coderd)_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)

Scrape = Callable[[], Awaitable[str]]


@pytest.fixture
def page(app: Application) -> MetricsPage:
    return MetricsPage(app.state.metrics, app.state.services.metrics)


@pytest.fixture
async def scrape(page: MetricsPage) -> AsyncIterator[Scrape]:
    """What Prometheus is told."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(page), base_url=SITE) as http:

        async def ask() -> str:
            answer = await http.get("/metrics")
            assert answer.status_code == 200
            return answer.text

        yield ask


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "FRESH_FOR", timedelta())


def value(text: str, sample: str) -> float | None:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


async def test_requests_are_counted_by_status_method_and_route(owner: Client, scrape: Scrape) -> None:
    group = await create_group(owner, "platform")
    await owner.get(f"/groups/{group['id']}")
    await owner.get(f"/groups/{uuid4()}")
    text = await scrape()
    labels = 'method="GET",path="/api/v2/groups/{group}"'
    assert f'coderd_api_requests_processed_total{{code="200",{labels}}} 1.0' in text
    assert f'coderd_api_requests_processed_total{{code="404",{labels}}} 1.0' in text
    assert f"coderd_api_request_latencies_seconds_count{{{labels}}} 2.0" in text


async def test_refused_logins_are_counted(nobody: Client, scrape: Scrape) -> None:
    await nobody.post("/users/login", json={"email": "nobody@example.com", "password": "wrong"})
    refused = 'coderd_api_requests_processed_total{code="401",method="POST",path="/api/v2/users/login"}'
    assert value(await scrape(), refused) == 1


async def test_paths_without_a_route_share_one_label(nobody: Client, scrape: Scrape) -> None:
    for number in range(3):
        await nobody.get(f"/no-such-path-{number}")
    text = await scrape()
    assert 'coderd_api_requests_processed_total{code="404",method="GET",path="none"} 3.0' in text
    assert "no-such-path" not in text


async def test_no_token_is_in_the_metrics(owner: Client, scrape: Scrape) -> None:
    await owner.get("/users", params={"coder_session_token": owner.token})
    assert owner.token not in await scrape()


async def test_the_api_serves_no_metrics(nobody: Client) -> None:
    assert (await nobody.get(f"{SITE}/metrics")).status_code == 404


async def test_they_are_served_at_an_address_of_their_own(page: MetricsPage) -> None:
    with listen("test", Address("127.0.0.1", 0)) as listener:
        async with serving_aside(page, listener), httpx2.AsyncClient() as http:
            url = url_of(listener)
            assert "coderd_api_concurrent_requests 0.0" in (await http.get(f"{url}/metrics")).text
            assert (await http.get(f"{url}/api/v2/buildinfo")).status_code == 404


async def test_users_proxies_jobs_and_transactions_are_counted(owner: Client, member: Client, scrape: Scrape) -> None:
    await create_proxy(owner, "eu")
    await create_version(owner)
    text = await scrape()
    assert value(text, "coderd_license_active_users") == 2
    assert value(text, 'coder_enterprise_server_workspace_proxies{status="unregistered"}') == 1
    assert value(text, 'coder_enterprise_server_provisioner_jobs{status="pending"}') == 1
    assert value(text, 'coder_enterprise_server_provisioner_jobs{status="running"}') == 0
    assert value(text, "coder_enterprise_server_provisioner_daemons") == 0
    assert value(text, "coder_enterprise_server_provisioner_job_oldest_seconds") is not None
    assert value(text, 'coder_enterprise_server_database_seconds_count{operation="write"}')
    assert value(text, "coder_enterprise_server_database_waiting") == 0


async def test_the_database_is_asked_once_for_many_scrapes(services: Services, scrape: Scrape) -> None:
    before = value(await scrape(), 'coder_enterprise_server_database_seconds_count{operation="read"}')
    for _ in range(3):
        text = await scrape()
    assert value(text, 'coder_enterprise_server_database_seconds_count{operation="read"}') == before


async def test_what_was_counted_is_counted_anew_later(owner: Client, scrape: Scrape, always_fresh: None) -> None:
    assert value(await scrape(), 'coder_enterprise_server_workspace_proxies{status="unregistered"}') is None
    await create_proxy(owner, "eu")
    assert value(await scrape(), 'coder_enterprise_server_workspace_proxies{status="unregistered"}') == 1


async def test_while_the_database_is_away_the_rest_is_told(
    scrape: Scrape, database: Database, monkeypatch: pytest.MonkeyPatch, always_fresh: None
) -> None:
    async def away(_: object) -> Any:
        raise Outage("The database does not answer.")

    monkeypatch.setattr(database, "read", away)
    text = await scrape()
    assert value(text, "coderd_license_active_users") is None
    assert value(text, "coder_enterprise_server_license_days_left") is not None


class TestLicences:
    @pytest.fixture
    def license_claims(self) -> Claims:
        return {"license_expires": int((now() + timedelta(days=10)).timestamp())}

    async def test_the_days_are_those_until_the_grace_period(self, services: Services, scrape: Scrape) -> None:
        assert value(await scrape(), "coder_enterprise_server_license_days_left") == pytest.approx(10, abs=0.1)


class TestGrace:
    @pytest.fixture
    def license_claims(self) -> Claims:
        return {"license_expires": int((now() - timedelta(days=1)).timestamp())}

    async def test_in_the_grace_period_no_day_is_left(self, services: Services, scrape: Scrape) -> None:
        assert value(await scrape(), "coder_enterprise_server_license_days_left") == 0


class TestNoLicence:
    @pytest.fixture
    def license_claims(self) -> None:
        return None

    async def test_without_a_licence_there_are_no_days(self, services: Services, scrape: Scrape) -> None:
        assert value(await scrape(), "coder_enterprise_server_license_days_left") is None


async def test_the_page_lists_what_is_exposed_with_type_and_labels(
    owner: Client, app: Application, scrape: Scrape
) -> None:
    await create_proxy(owner, "eu")
    await scrape()
    exposed = {}
    for family in app.state.metrics.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        exposed[name] = (family.type, {label for each in samples for label in each.labels} - {"le"})
    rows = ROW.findall(PAGE.read_text())
    assert {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows} == exposed
