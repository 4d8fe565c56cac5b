"""The appearance on a server: read, where it is shown, and written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from aiohttp import web

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.appearance.kind import ObservedAppearance
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from tests.kinds.appearance.builders import DEFAULTS, KIND, NOW, Body, banner, echo, new, observed, sent, shown, spec
from tests.support.beside import Beside
from tests.support.scripted import Scripted

NEW_DEFAULTS: Final = DEFAULTS | {"announcement_banners": []}


@pytest.fixture
def context(client: CoderClient) -> Context:
    return Context(client=client, directory=Directory(client), beside=Beside(), users_newer_than=float("-inf"))


def resource(status: Body | None = None, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "looks", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body("CoderAppearance", {"metadata": metadata, "spec": declared, "status": status or {}})


def entitle(server: Scripted, level: str | None) -> None:
    feature = {"entitlement": level, "enabled": level != "not_entitled"}
    server.answer("/entitlements", {"features": {"appearance": feature} if level else None, "has_license": True})


async def look(context: Context, status: Body | None = None, **declared: Any) -> ObservedAppearance:
    return await KIND.observe(context, resource(status, **declared), spec(**declared), fresh=True)


async def test_what_is_shown_needs_no_second_look(server: Scripted, context: Context) -> None:
    server.answer("/appearance", NEW_DEFAULTS | {"logo_url": "/a.png"})
    assert (await look(context)).external_id == "appearance"
    assert server.paths() == ["/appearance"]


@pytest.mark.parametrize(
    ("level", "answer"),
    [("entitled", DEFAULTS), ("entitled", NEW_DEFAULTS), ("grace_period", NEW_DEFAULTS)],
)
async def test_what_nobody_ever_set_does_not_exist(
    server: Scripted, context: Context, level: str, answer: Body
) -> None:
    server.answer("/appearance", answer)
    entitle(server, level)
    assert (await look(context)).external_id is None


@pytest.mark.parametrize(
    ("level", "answer"),
    [
        ("grace_period", DEFAULTS),
        ("not_entitled", DEFAULTS),
        ("not_entitled", NEW_DEFAULTS),
        (None, DEFAULTS),
    ],
)
async def test_what_cannot_be_read_is_neither_drift_nor_written(
    server: Scripted, context: Context, level: str | None, answer: Body
) -> None:
    """Coder below 2.8 shows defaults in the grace period, and every Coder without a licence."""
    server.answer("/appearance", answer)
    entitle(server, level)
    with pytest.raises(KindError, match="hide its appearance") as caught:
        await look(context, {"id": "appearance"}, applicationName="Acme")
    assert (caught.value.reason, caught.value.meaning) == (Reason.NOT_ENTITLED, Meaning.WAITING)
    assert server.paths("PUT") == []


async def test_a_licence_that_arrives_between_two_looks_is_noticed(server: Scripted, context: Context) -> None:
    answers = [DEFAULTS, DEFAULTS | {"logo_url": "/stored.png"}]
    server.reply("/appearance", lambda _: web.json_response(answers.pop(0)))
    entitle(server, "entitled")
    assert (await look(context)).appearance.logo_url == "/stored.png"


@pytest.mark.parametrize("none", [None, []])
async def test_null_is_no_banners(server: Scripted, context: Context, none: Any) -> None:
    server.answer("/appearance", {"application_name": "A", "service_banner": None, "announcement_banners": none})
    seen = await look(context)
    assert (seen.appearance.banners, seen.appearance.has_announcements) == ((), True)


async def apply(context: Context, **declared: Any) -> ObservedAppearance:
    desired = spec(**declared)
    seen = await look(context, **declared)
    return await KIND.apply(context, desired, seen, KIND.plan(desired, seen, {}))


async def test_an_update_repeats_all_that_was_read(server: Scripted, context: Context) -> None:
    """Also what only a newer Coder knows; and banners in both forms."""
    found = NEW_DEFAULTS | {"logo_url": "/a.png", "docs_url": "https://docs", "hide_mascots": True}
    found |= {"announcement_banners": [shown("A"), shown("B")], "service_banner": shown("A")}
    server.answer("/appearance", found)
    server.reply("/appearance", echo, method="PUT")
    await apply(context, applicationName="Acme")
    assert sent(server) == {
        "application_name": "Acme",
        "logo_url": "/a.png",
        "service_banner": shown("A"),
        "announcement_banners": [shown("A"), shown("B")],
        "hide_mascots": True,
    }


async def test_the_banner_of_an_old_server_is_sent_in_both_forms(server: Scripted, context: Context) -> None:
    server.answer("/appearance", DEFAULTS | {"service_banner": shown("A")})
    server.reply("/appearance", echo, method="PUT")
    after = await apply(context, applicationName="Acme")
    assert (sent(server)["service_banner"], sent(server)["announcement_banners"]) == (shown("A"), [shown("A")])
    assert not after.appearance.has_announcements
    assert [link.name for link in after.appearance.support_links] == ["Docs"]


async def test_banners_are_sent_in_both_forms(server: Scripted, context: Context) -> None:
    server.answer("/appearance", DEFAULTS | {"logo_url": "/a.png"})
    server.reply("/appearance", echo, method="PUT")
    declared = {"announcementBanners": [banner("A"), banner("B"), banner("C", -20, -10)]}
    after = await apply(context, **declared)
    assert sent(server)["service_banner"] == shown("A")
    assert sent(server)["announcement_banners"] == [shown("A"), shown("B")]
    assert KIND.plan(spec(**declared), after, {}) == []


async def test_that_its_time_has_come_is_no_drift(server: Scripted, context: Context) -> None:
    server.answer("/appearance", NEW_DEFAULTS | {"announcement_banners": [shown("A")]})
    declared = {"announcementBanners": [banner("A"), banner("B", -1e8)]}
    assert (await look(context, {"activeBanners": ["A"]}, **declared)).moved_on
    assert not (await look(context, {"activeBanners": ["A", "B"]}, **declared)).moved_on
    assert not (await look(context, {"activeBanners": ["B"]}, applicationName="A")).moved_on


async def test_many_visits_share_one_look(server: Scripted, context: Context) -> None:
    server.answer("/appearance", NEW_DEFAULTS | {"logo_url": "/a.png"})
    for _ in range(3):
        await KIND.observe(context, resource(), spec(), fresh=False)
    assert server.paths() == ["/appearance"]


async def test_deleting_puts_back_what_is_declared(server: Scripted, context: Context) -> None:
    found = {"application_name": "Acme", "logo_url": "/hand.png", "announcement_banners": [shown("A")]}
    server.answer("/appearance", NEW_DEFAULTS | found)
    server.reply("/appearance", echo, method="PUT")
    await KIND.delete(context, resource({"id": "appearance"}, applicationName="Acme", serviceBanner=banner("A")))
    off = {"enabled": False, "message": "", "background_color": ""}
    assert sent(server) == {
        "application_name": "",
        "logo_url": "/hand.png",
        "service_banner": off,
        "announcement_banners": [],
    }


async def test_what_is_at_its_default_already_is_not_written(server: Scripted, context: Context) -> None:
    server.answer("/appearance", NEW_DEFAULTS | {"logo_url": "/hand.png"})
    await KIND.delete(context, resource({"id": "appearance"}, applicationName="Acme"))
    assert server.paths("PUT") == []


@pytest.mark.parametrize(("unmanaged", "writes"), [([], 1), (["logoURL"], 0)])
async def test_what_is_hidden_is_cleared_only_where_nothing_else_was_set(
    server: Scripted, context: Context, unmanaged: list[str], writes: int
) -> None:
    server.answer("/appearance", DEFAULTS)
    server.reply("/appearance", echo, method="PUT")
    entitle(server, "not_entitled")
    await KIND.delete(context, resource({"id": "appearance", "unmanagedFields": unmanaged}, applicationName="Acme"))
    assert len(server.paths("PUT")) == writes


async def test_there_is_one_per_deployment(context: Context) -> None:
    first, second = spec(applicationName="A"), spec(serviceBanner=banner("B"))
    assert KIND.external_name(resource(), first) == KIND.external_name(resource(), second)
    assert await KIND.identity(context, resource(), first) == await KIND.identity(context, resource(), second)


def test_a_clock_that_jumps_is_noticed_within_an_hour() -> None:
    seen = replace(observed(new()), now=NOW)
    assert KIND.verdict(spec(announcementBanners=[banner("A", 100_000)]), seen).revisit == 3600
