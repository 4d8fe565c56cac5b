"""What a plan of an appearance names, by the time of day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import records
from coder_enterprise.kinds.machinery.moments import timestamp
from tests.kinds.appearance.builders import (
    DEFAULTS,
    KIND,
    NOW,
    OFF,
    RED,
    Body,
    banner,
    banners,
    new,
    observed,
    plan,
    shown,
    spec,
)
from tests.support.structural import problems

STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]


def old(**fields: Any) -> records.Appearance:
    """As Coder below 2.12 shows it."""
    return records.Appearance.model_validate(DEFAULTS | fields)


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
