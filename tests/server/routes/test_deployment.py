"""What needs no session."""

from __future__ import annotations

import json
from pathlib import Path

from coder_enterprise.wire.buildinfo import VERSION
from tests.support.api import SITE, Client, checked


async def test_healthz_is_plain_text_at_the_root_of_the_site(nobody: Client) -> None:
    answer = await nobody.get(f"{SITE}/healthz")
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"].startswith("text/plain")


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


async def test_the_openapi_document_is_the_committed_one(nobody: Client) -> None:
    committed = json.loads((Path(__file__).parents[3] / "docs" / "reference" / "openapi.json").read_text())
    assert checked(await nobody.get("/openapi.json")) == committed
