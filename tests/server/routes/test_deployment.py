"""What needs no session."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from coder_enterprise.server.routes.app import Application
from coder_enterprise.server.services import readiness
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.failures import Outage, Overload
from coder_enterprise.wire.buildinfo import VERSION
from tests.support.api import SITE, Client, checked


async def test_healthz_is_plain_text_at_the_root_of_the_site(nobody: Client) -> None:
    answer = await nobody.get(f"{SITE}/healthz")
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_readyz_says_that_the_database_answers(nobody: Client) -> None:
    answer = await nobody.get(f"{SITE}/readyz")
    assert (answer.status_code, answer.text) == (200, "OK")


async def test_readyz_says_no_while_the_database_does_not_answer(
    nobody: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Any) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(readiness, "DEADLINE", 0.01)
    monkeypatch.setattr(database, "read", never)
    answer = await nobody.get(f"{SITE}/readyz")
    assert answer.status_code == 503
    assert "the database has not answered" in answer.text
    assert (await nobody.get(f"{SITE}/healthz")).status_code == 200


async def test_readyz_says_no_when_the_database_is_away(
    nobody: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Any) -> None:
        raise Outage("The database does not answer; try again in a moment.")

    monkeypatch.setattr(database, "read", away)
    assert (await nobody.get(f"{SITE}/readyz")).status_code == 503


async def test_one_that_is_overloaded_stays_ready_for_its_share(
    nobody: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overloaded(_: Any) -> None:
        raise Overload("The server is overloaded; try again in a moment.")

    monkeypatch.setattr(database, "read", overloaded)
    assert (await nobody.get(f"{SITE}/readyz")).status_code == 200


async def test_while_it_ends_readyz_says_no_and_each_answer_asks_to_come_back_elsewhere(
    nobody: Client, services: Services
) -> None:
    assert "connection" not in (await nobody.get("/buildinfo")).headers
    services.readiness.ending = True
    assert (await nobody.get(f"{SITE}/readyz")).status_code == 503
    answer = await nobody.get("/buildinfo")
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_the_root_of_the_api_says_hello(nobody: Client) -> None:
    assert checked(await nobody.get("/"))["message"]


async def test_buildinfo_tells_the_version_and_the_address(nobody: Client) -> None:
    assert checked(await nobody.get("/buildinfo")) == {
        "external_url": SITE,
        "version": VERSION,
        "dashboard_url": SITE,
        "workspace_proxy": False,
    }


async def test_the_openapi_document_is_public(nobody: Client) -> None:
    assert "/api/v2/groups/{group}" in checked(await nobody.get("/openapi.json"))["paths"]


async def test_the_document_is_written_once(nobody: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await nobody.get("/openapi.json")
    monkeypatch.setattr(Application, "description", property(lambda _: pytest.fail("it is written again")))
    second = await nobody.get("/openapi.json")
    assert (second.status_code, second.content) == (200, first.content)


async def test_the_openapi_document_is_the_committed_one(nobody: Client) -> None:
    committed = json.loads((Path(__file__).parents[3] / "docs" / "reference" / "openapi.json").read_text())
    assert checked(await nobody.get("/openapi.json")) == committed
