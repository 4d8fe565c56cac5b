"""Findings about the way to a Coder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from coder_enterprise.oncall.doctor import network
from coder_enterprise.oncall.doctor.findings import About, Finding, Level
from tests.support.api_server import APIServer
from tests.support.front import Certificate
from tools.processes import free_ports

ABOUT = About("team/coder")


def by_check(found: list[Finding]) -> dict[str, Level]:
    return {each.check: each.level for each in found}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def test_a_certificate_that_is_trusted_is_told_with_its_end(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    async with APIServer([], certificate) as server:
        url = f"https://127.0.0.1:{server.port}"
        trusted = by_check(await network.network(ABOUT, url, certificate.pem))
        assert trusted.keys() == {"DNS", "TLS", "clock"}
        assert trusted["clock"] is Level.OK
        assert by_check(await network.network(ABOUT, url, "")) == {"DNS": Level.OK, "TLS": Level.FAILURE}


async def test_a_name_without_an_address_and_a_port_without_a_listener_are_failures() -> None:
    unknown = await network.network(ABOUT, "https://coder.invalid", "")
    assert by_check(unknown) == {"DNS": Level.FAILURE}
    nobody = await network.network(ABOUT, f"http://127.0.0.1:{free_ports(1)[0]}", "")
    assert by_check(nobody)["connection"] is Level.FAILURE


async def test_a_proxy_is_named_without_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.test:3128")
    (finding,) = await network.network(ABOUT, "https://coder.test", "")
    assert "proxy.test:3128" in finding.message
    assert "secret" not in finding.message


@pytest.mark.parametrize(("days", "level"), [(200, Level.OK), (5, Level.WARNING)])
def test_a_certificate_that_ends_soon_is_warned_of(days: int, level: Level) -> None:
    end = datetime.now(UTC) + timedelta(days=days)
    assert network._expiry(ABOUT, {"notAfter": end.strftime("%b %d %H:%M:%S %Y GMT")}).level is level


@pytest.mark.parametrize(("skew", "level"), [(3, Level.OK), (-900, Level.WARNING), (900, Level.WARNING)])
def test_clocks_that_differ_are_warned_of(skew: float, level: Level) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=skew), usegmt=True)
    assert network._skew(ABOUT, date).level is level
    assert network._skew(ABOUT, "").level is Level.OK
