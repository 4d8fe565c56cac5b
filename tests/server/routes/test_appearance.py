"""Appearance: what is stored, who may store it, and when it is shown."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.appearance import DEFAULT_SUPPORT_LINKS
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.wire.appearance import SupportLink
from coder_enterprise.wire.profiles import Profile
from tests.support.api import Body, Client, People, checked, refused
from tests.support.licenses import DAY, Claims, add_license, write_keys

BANNER = {"enabled": True, "message": "Maintenance on Sunday", "background_color": "#aBc123"}
SECOND = {"enabled": False, "message": "Later", "background_color": "#000000"}
LOOK = {"application_name": "Acme", "logo_url": "https://acme.example/logo.png", "service_banner": BANNER}
OFF = {"enabled": False, "message": "", "background_color": ""}
DEFAULTS = [link.model_dump() for link in DEFAULT_SUPPORT_LINKS]
OWN_LINK = {"name": "Help desk", "target": "https://help.example.com", "icon": "chat"}
IN_GRACE = {"license_expires": int(time.time()) - DAY, "exp": int(time.time()) + DAY}


async def put(client: Client, **fields: Any) -> Body:
    return checked(await client.put("/appearance", json=fields))


async def get(client: Client) -> Body:
    return checked(await client.get("/appearance"))


async def test_at_first_it_is_empty_with_coders_links(member: Client) -> None:
    assert await get(member) == {
        "application_name": "",
        "logo_url": "",
        "service_banner": OFF,
        "support_links": DEFAULTS,
    }
    assert [link["icon"] for link in DEFAULTS] == ["docs", "bug", "chat"]


async def test_what_an_owner_stores_is_echoed_and_shown_to_every_user(owner: Client, member: Client) -> None:
    assert await put(owner, **LOOK) == LOOK
    assert await get(member) == LOOK | {"support_links": DEFAULTS}


async def test_what_is_absent_or_null_is_cleared(owner: Client) -> None:
    await put(owner, **LOOK)
    assert await put(owner, application_name="Acme", logo_url=None, service_banner=None) == {
        "application_name": "Acme",
        "logo_url": "",
        "service_banner": OFF,
    }
    await put(owner, **LOOK)
    assert await put(owner) == {"application_name": "", "logo_url": "", "service_banner": OFF}
    assert await get(owner) == {
        "application_name": "",
        "logo_url": "",
        "service_banner": OFF,
        "support_links": DEFAULTS,
    }


async def test_keys_match_in_any_case_and_null_is_a_default_within_a_banner(owner: Client) -> None:
    content = '{"Service_Banner": {"ENABLED": true, "Message": null, "background_color": "#ffffff", "more": 1}}'
    answer = checked(await owner.put("/appearance", content=content))
    assert answer["service_banner"] == {"enabled": True, "message": "", "background_color": "#ffffff"}


async def test_a_banner_that_is_off_keeps_its_text_and_any_colour(owner: Client) -> None:
    banner = {"enabled": False, "message": "soon", "background_color": "red"}
    await put(owner, service_banner=banner)
    assert (await get(owner))["service_banner"] == banner


async def test_announcements_win_over_a_service_banner(owner: Client) -> None:
    assert (await put(owner, service_banner=BANNER, announcement_banners=[SECOND, BANNER]))["service_banner"] == SECOND
    assert (await get(owner))["service_banner"] == SECOND
    assert (await put(owner, service_banner=BANNER, announcement_banners=[]))["service_banner"] == OFF
    assert (await put(owner, service_banner=BANNER, announcement_banners=None))["service_banner"] == BANNER
    unused = {"enabled": True, "background_color": "red"}
    assert (await put(owner, service_banner=unused, announcement_banners=[SECOND]))["service_banner"] == SECOND


@pytest.mark.parametrize(
    "color", ["", "red", "#fff", "#1234567", "123456", "#12345g", "#12345\n", "#12345\N{FULLWIDTH DIGIT SIX}"]
)
async def test_a_colour_that_is_none_is_refused(owner: Client, color: str) -> None:
    await put(owner, **LOOK)
    banner = {"enabled": True, "message": "x", "background_color": color}
    answer = await owner.put("/appearance", json={"service_banner": banner})
    assert "#3366ff" in refused(answer, 400, "service_banner.background_color")["detail"]
    answer = await owner.put("/appearance", json={"announcement_banners": [SECOND, banner | {"enabled": False}]})
    refused(answer, 400, "announcement_banners.1.background_color")
    assert (await get(owner))["service_banner"] == BANNER


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"application_name": "x" * 8193}, "application_name"),
        ({"logo_url": "x" * 8193}, "logo_url"),
        ({"service_banner": {"message": "x" * 8193}}, "service_banner.message"),
        ({"service_banner": {"background_color": "#" * 8193}}, "service_banner.background_color"),
        ({"announcement_banners": [BANNER, BANNER | {"message": "x" * 8193}]}, "announcement_banners.1.message"),
        ({"announcement_banners": [BANNER] * 101}, "announcement_banners"),
    ],
)
async def test_what_is_too_long_is_refused_by_name(owner: Client, fields: Body, where: str) -> None:
    refused(await owner.put("/appearance", json=fields), 400, where)


async def test_the_longest_texts_are_kept(owner: Client) -> None:
    await put(owner, application_name="ä" * 8192, service_banner=BANNER | {"message": "🎉" * 8192})
    shown = await get(owner)
    assert (len(shown["application_name"]), len(shown["service_banner"]["message"])) == (8192, 8192)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("{", ()),
        ("[]", ()),
        ('{"application_name": 1}', ("application_name",)),
        ('{"service_banner": []}', ("service_banner",)),
        ('{"service_banner": {"enabled": "yes"}}', ("service_banner.enabled",)),
        ('{"announcement_banners": {}}', ("announcement_banners",)),
        ('{"announcement_banners": ["x"]}', ("announcement_banners.0",)),
        ('{"announcement_banners": [{"Message": 5}]}', ("announcement_banners.0.message",)),
    ],
)
async def test_what_is_no_appearance_is_refused_by_field(owner: Client, content: str, fields: tuple[str, ...]) -> None:
    refused(await owner.put("/appearance", content=content), 400, *fields)


@pytest.mark.parametrize("role", ["user-admin", "template-admin", "auditor", ""])
async def test_only_an_owner_changes_it(people: People, owner: Client, role: str) -> None:
    await put(owner, **LOOK)
    client = await people.with_roles(*([role] if role else []))
    refused(await client.put("/appearance", json={}), 403)
    assert (await get(client))["application_name"] == "Acme"


async def test_nobody_sees_it(nobody: Client) -> None:
    refused(await nobody.get("/appearance"), 401)
    refused(await nobody.put("/appearance", json={}), 401)


class TestLinks:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        keys = write_keys(tmp_path / "keys.json")
        return Settings(license_keys_file=keys, support_links=(SupportLink(**OWN_LINK),))

    async def test_own_links_replace_coders(self, member: Client) -> None:
        assert (await get(member))["support_links"] == [OWN_LINK]

    @pytest.mark.parametrize("license_claims", [None, {"all_features": False}])
    async def test_own_links_need_a_licence(self, member: Client) -> None:
        assert (await get(member))["support_links"] == DEFAULTS


class TestWithoutALicence:
    @pytest.fixture
    def license_claims(self) -> Claims | None:
        return None

    async def test_it_is_stored_and_shown_only_when_it_is_licensed(
        self, owner: Client, database: Database, services: Services
    ) -> None:
        assert await put(owner, **LOOK) == LOOK
        assert await get(owner) == {
            "application_name": "",
            "logo_url": "",
            "service_banner": OFF,
            "support_links": DEFAULTS,
        }
        await add_license(database)
        await services.entitlements.refresh()
        assert await get(owner) == LOOK | {"support_links": DEFAULTS}


@pytest.mark.parametrize("license_claims", [IN_GRACE])
async def test_a_grace_period_keeps_it(owner: Client) -> None:
    await put(owner, **LOOK)
    assert (await get(owner))["application_name"] == "Acme"


class TestProfile:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return Settings(license_keys_file=write_keys(tmp_path / "keys.json"), profile=Profile.CODERSDK)

    async def test_announcements_are_shown_and_the_first_as_service_banner(self, owner: Client) -> None:
        stored = await put(owner, announcement_banners=[BANNER, SECOND])
        assert stored == {
            "application_name": "",
            "logo_url": "",
            "service_banner": BANNER,
            "announcement_banners": [BANNER, SECOND],
        }
        assert await get(owner) == stored | {"support_links": DEFAULTS, "docs_url": DEFAULTS[0]["target"]}

    async def test_a_service_banner_is_the_only_announcement(self, owner: Client) -> None:
        await put(owner, service_banner=BANNER)
        assert (await get(owner))["announcement_banners"] == [BANNER]

    async def test_without_banners_there_is_an_empty_list(self, owner: Client) -> None:
        await put(owner, service_banner=OFF)
        assert (await get(owner))["announcement_banners"] == []

    async def test_what_is_empty_in_a_banner_is_left_out(self, owner: Client) -> None:
        await put(owner, service_banner={"enabled": True, "background_color": "#ffffff"})
        assert (await get(owner))["service_banner"] == {"enabled": True, "background_color": "#ffffff"}
