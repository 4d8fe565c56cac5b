"""Links from the page to the dashboard of the chart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import socket
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page.grafana import dashboard
from coder_enterprise.page.settings import Options, SettingsError, settings
from coder_enterprise.process.addresses import Address, listen
from tests.support.page import Served, Shown

DASHBOARD: Final = Path(__file__).parents[2] / "charts" / "coder-enterprise" / "files" / "dashboard.json"
GRAFANA: Final = "https://grafana.example.com/g"
EAST: Final = Key("CoderDeployment", "team", "east")


@pytest.fixture
def listener() -> Iterator[socket]:
    with closing(listen("test", Address("127.0.0.1", 0))) as found:
        yield found


def links(text: str) -> list[str]:
    found = re.findall(r'<a class="out" href="([^"]*)" rel="noreferrer noopener"', text)
    return [each for each in found if "grafana" in each]


async def pages(grafana: str) -> list[str]:
    shown = Shown()
    shown.deployment("east")
    shown.put("CoderGroup", "data", spec={"deploymentRef": {"name": "east"}})
    async with (
        Served(shown, grafana=grafana) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as page,
    ):
        addresses = ("/", "/objects/coderdeployments/team/east", "/objects/codergroups/team/data")
        return [(await page.get(address)).text for address in addresses]


async def test_cards_and_objects_lead_to_the_figures_of_their_coder() -> None:
    for text in await pages(GRAFANA):
        assert links(text) == [dashboard(GRAFANA, EAST)]


async def test_without_a_grafana_there_is_no_link() -> None:
    for text in await pages(""):
        assert links(text) == []
        assert "Figures" not in text


def test_the_link_is_one_to_the_dashboard_of_the_chart_with_a_variable_that_it_has() -> None:
    held: Any = json.loads(DASHBOARD.read_text())
    parts = urlsplit(dashboard(GRAFANA, EAST))
    assert parts.path == f"/g/d/{held['uid']}"
    ((name, values),) = parse_qs(parts.query, strict_parsing=True).items()
    assert name.removeprefix("var-") in {each["name"] for each in held["templating"]["list"]}
    assert values == ["team/east"]


@pytest.mark.parametrize("text", ["https://g.example.com", "http://10.0.0.7:3000/", "https://[fd00::7]/grafana/"])
def test_an_address_is_taken_with_its_path(listener: socket, text: str) -> None:
    assert settings(listener, Options(grafana_url=text)).grafana == text.rstrip("/")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("grafana.example.com", "no http:// or https:// address"),
        ("javascript:alert(1)", "no http:// or https:// address"),
        ("https://", "no http:// or https:// address"),
        ("https://[::1", "no http:// or https:// address"),
        ("https://g.example.com:port", "no http:// or https:// address"),
        ("https://ann:hunter2@g.example.com", "a user or a password"),
        ("https://g.example.com/?orgId=2", "leave out what follows"),
        ("https://g.example.com/#a", "leave out what follows"),
        ("https://g.example.com/?", "leave out what follows"),
        ("https://g.example.com#", "leave out what follows"),
        (" https://g.example.com", "a space"),
        ("https://g.example.com\n", "a space"),
        ("https://g.exa\tmple.com", "a space"),
    ],
)
def test_what_is_none_is_refused_with_the_option_and_no_secret(listener: socket, text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(why)) as refused:
        settings(listener, Options(grafana_url=text))
    assert str(refused.value).startswith("--page-grafana-url: ")
    assert "hunter2" not in str(refused.value)


def test_what_is_odd_in_an_address_stays_within_it(listener: socket) -> None:
    found = settings(listener, Options(grafana_url='https://g.example.com/a"b c<d\u202e')).grafana
    assert found == "https://g.example.com/a%22b%20c%3Cd%E2%80%AE"
