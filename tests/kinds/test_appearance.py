"""CoderAppearance: only what is declared is changed, banners have their time, and what cannot be read is not drift."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import records
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.appearance import AppearanceKind, AppearanceSpec, ObservedAppearance
from coder_enterprise.kinds.base import Context, KindError
from coder_enterprise.kinds.common import timestamp
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Resource
from tests.support.beside import Beside
from tests.support.scripted import Asked, Scripted
from tests.support.structural import problems

KIND: Final = AppearanceKind()
STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
NOW: Final = datetime(2027, 3, 1, 12, tzinfo=UTC)
RED: Final = "#a32d2d"
OFF: Final = {"enabled": False}
DEFAULTS: Final = {"application_name": "", "logo_url": "", "service_banner": OFF, "support_links": [{"name": "Docs"}]}
NEW_DEFAULTS: Final = DEFAULTS | {"announcement_banners": []}

Body = dict[str, Any]


def shown(message: str, color: str = RED) -> Body:
    return {"enabled": True, "message": message, "background_color": color}


def banner(message: str, start: float | None = None, end: float | None = None, **fields: Any) -> Body:
    """`start` and `end` in seconds from NOW."""
    times = {"startsAt": start, "endsAt": end}
    moments = {name: timestamp(NOW + timedelta(seconds=value)) for name, value in times.items() if value is not None}
    return {"message": message, "backgroundColor": RED, **moments, **fields}


def old(**fields: Any) -> records.Appearance:
    """As Coder below 2.12 shows it."""
    return records.Appearance.model_validate(DEFAULTS | fields)


def new(*banners: Body, **fields: Any) -> records.Appearance:
    return records.Appearance.model_validate(DEFAULTS | {"announcement_banners": list(banners)} | fields)


def spec(**fields: Any) -> AppearanceSpec:
    return AppearanceSpec.model_validate(fields)


def observed(appearance: records.Appearance, now: datetime = NOW) -> ObservedAppearance:
    return ObservedAppearance(
        external_id=None if appearance.is_default else "appearance", fresh=True, appearance=appearance, now=now
    )


def plan(desired: AppearanceSpec, appearance: records.Appearance, now: datetime = NOW) -> list[str]:
    return [str(change) for change in KIND.plan(desired, observed(appearance, now), {})]


# The plan


@pytest.mark.parametrize(
    ("declared", "found", "expected"),
    [
        ({"applicationName": "Acme"}, new(), ["spec.applicationName: '' becomes 'Acme'"]),
        ({"applicationName": ""}, new(application_name="Acme"), ["spec.applicationName: 'Acme' becomes ''"]),
        ({"applicationName": "Acme"}, new(application_name="Acme", logo_url="/a.png"), []),
        ({"logoURL": "/b.png"}, new(logo_url="/a.png"), ["spec.logoURL: '/a.png' becomes '/b.png'"]),
        ({}, new(shown("A"), application_name="Acme", logo_url="/a.png"), []),
        ({"serviceBanner": banner("A")}, new(shown("A")), []),
        ({"serviceBanner": banner("A")}, old(service_banner=shown("A")), []),
        ({"serviceBanner": banner("A")}, old(), [f"spec.serviceBanner: '' becomes '{RED} A'"]),
        ({"serviceBanner": OFF}, new(shown("A")), [f"spec.serviceBanner: '{RED} A' becomes ''"]),
        ({"serviceBanner": OFF}, old(service_banner=OFF | {"message": "A"}), []),
        ({"announcementBanners": []}, new(shown("A")), [f"spec.announcementBanners: '{RED} A' becomes ''"]),
        (
            {"announcementBanners": [banner("A"), banner("B")]},
            new(shown("B"), shown("A")),
            [f"spec.announcementBanners: '{RED} B | {RED} A' becomes '{RED} A | {RED} B'"],
        ),
        ({"announcementBanners": [banner("A"), banner("B")]}, old(service_banner=shown("A")), []),
        ({"announcementBanners": [banner("A", enabled=False)]}, new(), []),
    ],
)
def test_what_is_declared_is_corrected_and_what_is_not_left_alone(
    declared: Body, found: records.Appearance, expected: list[str]
) -> None:
    assert plan(spec(**declared), found) == expected


@pytest.mark.parametrize(
    ("seconds", "messages"), [(-10, []), (0, ["A"]), (9.9, ["A"]), (10, ["A", "B"]), (20, ["B"]), (30, []), (99, [])]
)
def test_a_banner_is_there_from_its_start_to_its_end(seconds: float, messages: list[str]) -> None:
    desired = spec(announcementBanners=[banner("A", 0, 20), banner("B", 10, 30), banner("C", 0, 30, enabled=False)])
    active = desired.active_banners(NOW + timedelta(seconds=seconds))
    assert [item.message for item in active or ()] == messages


times = st.none() | st.integers(-10_000, 10_000)
banners = st.lists(
    st.builds(
        lambda message, start, length, enabled: banner(
            message, start, None if length is None else (start or 0) + length, enabled=enabled
        ),
        st.sampled_from("ABC"),
        times,
        st.none() | st.integers(1, 5000),
        st.booleans(),
    ),
    max_size=4,
)
founds = st.builds(lambda messages: new(*map(shown, messages)), st.lists(st.sampled_from("ABC"), max_size=2))


@given(banners)
def test_nothing_changes_before_the_next_transition_and_an_object_is_visited_then(declared: list[Body]) -> None:
    desired = spec(announcementBanners=declared)
    verdict = KIND.verdict(desired, observed(new()))
    moment = desired.next_transition(NOW)
    report = KIND.report(desired, observed(new()), (), {})
    if moment is None:
        assert (verdict.revisit, report["nextTransition"]) == (None, None)
        moment = NOW + timedelta(days=10)
    else:
        assert verdict.revisit == min((moment - NOW).total_seconds(), 3600)
        assert report["nextTransition"] == timestamp(moment)
    assert desired.active_banners(moment - timedelta(seconds=0.001)) == desired.active_banners(NOW)


@given(banners, founds, st.integers(0, 10_000))
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    declared: list[Body], found: records.Appearance, seconds: int
) -> None:
    desired, now = spec(announcementBanners=declared), NOW + timedelta(seconds=seconds)
    wanted = [item.model_dump() for item in desired.active_banners(now) or ()]
    assert plan(desired, new(*wanted), now) == []
    assert (plan(desired, found, now) == []) is (found.banners == tuple(desired.active_banners(now) or ()))


# Status


def test_status_shows_what_users_see_and_what_is_left_alone() -> None:
    found = new(shown("A"), OFF | {"message": "B"}, logo_url="/a.png")
    assert KIND.report(spec(applicationName=""), observed(found), (), {}) == {
        "id": "appearance",
        "activeBanners": ["A"],
        "supportLinks": ["Docs"],
        "nextTransition": None,
        "unmanagedFields": ["logoURL", "banners"],
    }


def test_plan_does_not_claim_what_nobody_has_set() -> None:
    assert KIND.report(spec(managementPolicy="Plan"), observed(new()), (), {})["id"] is None


def test_whatever_coder_has_fits_into_status() -> None:
    long = "x" * 9000
    found = new(*[shown(long)] * 200, application_name=long, logo_url=long, support_links=[{"name": long}] * 200)
    shown_fields = {key: value for key, value in KIND.report(spec(), observed(found), (), {}).items() if value}
    assert list(problems(STATUS_SCHEMA, shown_fields)) == []


def test_a_banner_that_coder_cannot_show_is_said() -> None:
    verdict = KIND.verdict(spec(announcementBanners=[banner("A"), banner("B")]), observed(old()))
    assert "one banner" in verdict.message


# Against a server


@pytest.fixture
def context(client: CoderClient) -> Context:
    return Context(client=client, directory=Directory(client), cluster=Beside(), users_newer_than=float("-inf"))


def resource(status: Body | None = None, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "looks", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body("CoderAppearance", {"metadata": metadata, "spec": declared, "status": status or {}})


def entitle(server: Scripted, level: str | None) -> None:
    feature = {"entitlement": level, "enabled": level != "not_entitled"}
    server.answer("/entitlements", {"features": {"appearance": feature} if level else None, "has_license": True})


def echo(asked: Asked) -> web.Response:
    return web.json_response({key: value for key, value in json.loads(asked.body).items() if key in DEFAULTS})


async def look(context: Context, status: Body | None = None, **declared: Any) -> ObservedAppearance:
    return await KIND.observe(context, resource(status, **declared), spec(**declared), fresh=True)


def sent(server: Scripted) -> Body:
    [body] = [json.loads(asked.body) for asked in server.asked if asked.method == "PUT"]
    return dict(body)


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


# Deletion


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
