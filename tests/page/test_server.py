"""Where the page is served, from when on and until when."""

from __future__ import annotations

import socket
import subprocess
import sys

import httpx2
import pytest
from structlog.testing import capture_logs

from coder_enterprise.page.settings import Options, SettingsError, settings
from coder_enterprise.process.addresses import Address, listen
from tests.support.page import Served, Shown


def refused(*options: str) -> str:
    """What the operator says that does not start with these options."""
    command = [sys.executable, "-m", "coder_enterprise", "operator", "--health-address", "", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    return ended.stderr


async def test_what_is_not_listed_yet_is_said(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.listed = False
    assert "Not everything is listed yet" in (await page.get("/")).text
    shown.listed = True
    assert "Not everything is listed yet" not in (await page.get("/")).text


async def test_style_and_script_are_asked_for_anew_after_an_upgrade(page: httpx2.AsyncClient) -> None:
    for name in ("page.css", "page.js", "icon.svg"):
        answer = await page.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-cache"
        again = await page.get(f"/static/{name}", headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("name", ["page.png", "a" * 300, "a/" * 3_000, "page.css/x", "%00"])
async def test_what_no_file_can_be_called_is_not_there_and_no_failure(page: httpx2.AsyncClient, name: str) -> None:
    with capture_logs() as logs:
        answer = await page.get(f"/static/{name}")
    assert (answer.status_code, logs) == (404, [])


async def test_it_listens_no_more_afterwards(shown: Shown) -> None:
    async with Served(shown) as url:
        pass
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url, trust_env=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_loopback_is_where_it_may_be_served(host: str) -> None:
    with listen("--page-address", Address(host, 0)) as listener:
        assert settings(listener, Options()).listener is listener


def test_where_others_can_reach_it_the_operator_does_not_start() -> None:
    assert "--page-address" in refused("--page-address", ":0")


def test_an_address_that_another_one_has_is_refused_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        said = refused("--page-address", address)
    assert said.startswith(f"coder-enterprise operator: --page-address: cannot listen on {address}: Address already")


def test_every_address_is_no_loopback() -> None:
    with listen("--page-address", Address("", 0)) as listener, pytest.raises(SettingsError, match="no loopback"):
        settings(listener, Options())
