"""The release of Coder that the server says it is: by its wire profile, or as it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coder_enterprise import __version__
from coder_enterprise.server.settings import Settings, SettingsError, parse_release
from coder_enterprise.wire.buildinfo import same_release
from coder_enterprise.wire.profiles import Profile
from coder_enterprise.wire.provisioner_daemons import API_MAJOR, API_MINOR
from tests.support.api import Client, checked
from tests.support.proxies import create_proxy, register

OWN = f"coder-enterprise-{__version__}"


@pytest.fixture
def told() -> dict[str, Any]:
    return {}


@pytest.fixture
def settings(settings: Settings, told: dict[str, Any]) -> Settings:
    return replace(settings, **told)


async def announced(client: Client) -> set[str]:
    """Wherever the server says it."""
    info = await client.get("/buildinfo")
    primary = checked(await client.get("/workspaceproxies/primary"))
    update = checked(await client.get("/updatecheck"))
    shown = {primary["version"]} if "version" in primary else set()
    return {checked(info)["version"], info.headers["x-coder-build-version"], update["version"]} | shown


async def test_documented_is_the_last_release_with_the_contract_page(owner: Client) -> None:
    assert await announced(owner) == {f"v2.4.0+{OWN}"}


@pytest.mark.parametrize("told", [{"profile": Profile.CODERSDK}])
async def test_codersdk_is_the_release_whose_shapes_are_answered(owner: Client) -> None:
    assert await announced(owner) == {f"v2.30.0+{OWN}"}
    info = checked(await owner.get("/buildinfo"))
    assert "CODER_ANNOUNCED_VERSION" in info["upgrade_message"]
    assert info["provisioner_api_version"] == f"{API_MAJOR}.{API_MINOR}"


@pytest.mark.parametrize("told", [{"announced_release": "v2.33.1"}])
async def test_a_setting_says_another_one(owner: Client) -> None:
    assert await announced(owner) == {f"v2.33.1+{OWN}"}


@pytest.mark.parametrize("told", [{"announced_release": "v2.33.1"}])
@pytest.mark.parametrize(
    ("version", "status"), [("v2.33.0", 201), ("v2.4.0", 400), (f"v2.4.0+{OWN}", 201), (f"v2.33.1+{OWN}", 201)]
)
async def test_a_proxy_has_to_be_of_the_release_that_is_announced_or_of_this_build(
    owner: Client, nobody: Client, version: str, status: int
) -> None:
    _, token = await create_proxy(owner, "eu")
    assert (await register(nobody, token, version=version)).status_code == status


def test_of_two_builds_of_this_project_its_own_versions_count() -> None:
    assert same_release("v2.4.0+coder-enterprise-1.2.3", "v2.30.0+coder-enterprise-1.2.9")
    assert not same_release("v2.4.0+coder-enterprise-1.2.3", "v2.4.0+coder-enterprise-1.3.0")


@pytest.mark.parametrize("text", ["2.30.0", "v2.30", "v2.30.0+x", "v2.30.0\n", "latest"])
def test_what_is_no_release_is_refused_with_its_setting(text: str) -> None:
    with pytest.raises(SettingsError, match="CODER_ANNOUNCED_VERSION"):
        parse_release(text)
