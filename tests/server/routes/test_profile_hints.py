"""Clients of Coder's own that read the other wire profile are told so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from coder_enterprise.server.routes import profile_hints
from coder_enterprise.server.settings import Settings
from coder_enterprise.wire.profiles import Profile
from tests.support.api import Client

WARNING = "x-coder-entitlements-warning"
READERS = [
    ("Go-http-client/1.1", "Go's SDK"),
    ("coder-cli/v2.30.0 (linux/amd64; coder list)", "coder-cli"),
    ("HashiCorp Terraform/1.11.4", "Terraform"),
]


@pytest.mark.parametrize(("agent", "name"), READERS)
async def test_a_client_that_reads_codersdk_is_told_with_every_answer_and_once_in_the_log(
    owner: Client, agent: str, name: str
) -> None:
    with capture_logs() as logs:
        answers = [await owner.get("/users/me", headers={"User-Agent": agent}) for _ in range(2)]
    assert all("CODER_WIRE_PROFILE=codersdk" in answer.headers[WARNING] for answer in answers)
    (line,) = (line for line in logs if line["log_level"] == "warning")
    assert (line["announces"], line["client"]) == (name, "127.0.0.1")
    assert "CODER_WIRE_PROFILE=codersdk" in line["hint"]


@pytest.mark.parametrize("agent", ["", "curl/8.5.0", "python-httpx2/1.0", "coder-enterprise/0.1.0", "kube-probe/1.37"])
async def test_others_are_not_told(owner: Client, agent: str) -> None:
    assert WARNING not in (await owner.get("/users/me", headers={"User-Agent": agent})).headers


async def test_a_program_in_go_without_a_token_of_coder_is_not_told(nobody: Client) -> None:
    assert WARNING not in (await nobody.get("/buildinfo", headers={"User-Agent": "Go-http-client/2.0"})).headers


async def test_the_log_names_only_so_many_clients(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_hints, "MAX_TOLD", 1)
    with capture_logs() as logs:
        for agent, _ in READERS:
            assert WARNING in (await owner.get("/users/me", headers={"User-Agent": agent})).headers
    assert len([line for line in logs if line["log_level"] == "warning"]) == 1


class TestInTheProfileCodersdk:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, profile=Profile.CODERSDK)

    async def test_nobody_is_told(self, app: FastAPI, owner: Client) -> None:
        assert WARNING not in (await owner.get("/users/me", headers={"User-Agent": READERS[0][0]})).headers
