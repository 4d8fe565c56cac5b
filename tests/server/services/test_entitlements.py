"""What licences allow: the rules one by one, and what holds for every set of licences."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coder_enterprise.server.errors import Forbidden
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.entitlement_rules import ALWAYS_ON, Circumstances, compute, next_change
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.license_tokens import Claims, claims_of
from coder_enterprise.server.storage.database import Database
from coder_enterprise.wire import entitlements as wire
from coder_enterprise.wire.entitlements import LIMITS
from tests.support.licenses import PUBLIC_KEYS, add_license

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RANK = {"not_entitled": 0, "grace_period": 1, "entitled": 2}
EVERYTHING = frozenset(Feature)


def claims(
    *, ends: timedelta = 100 * DAY, grace: timedelta = 30 * DAY, starts: timedelta | None = None, **more: Any
) -> Claims:
    """A licence whose term ends so long after now."""
    end = NOW + ends
    times = {"license_expires": end.timestamp(), "exp": (end + grace).timestamp()}
    if starts is not None:
        times["nbf"] = (NOW + starts).timestamp()
    return claims_of({"version": 3, **times, **more})


def result(*licences: Claims, **circumstances: Any) -> wire.Entitlements:
    return compute(licences, Circumstances(**{"now": NOW, **circumstances}))


def level(answer: wire.Entitlements, feature: Feature = Feature.TEMPLATE_RBAC) -> str:
    return answer.features[feature].entitlement


RBAC = {Feature.TEMPLATE_RBAC.value: 1}


# Levels


def test_without_a_licence_every_feature_is_off_and_nothing_is_said() -> None:
    answer = result(active_users=3, configured=EVERYTHING)
    assert set(answer.features) == EVERYTHING
    assert not any(state.enabled or state.entitlement != "not_entitled" for state in answer.features.values())
    assert (answer.has_license, answer.trial, answer.require_telemetry) == (False, False, False)
    assert (answer.warnings, answer.errors) == ([], [])
    assert answer.features[Feature.USER_LIMIT].model_dump() == {
        "entitlement": "not_entitled",
        "enabled": False,
        "actual": 3,
    }


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"ends": DAY}, "entitled"),
        ({"ends": timedelta(seconds=1)}, "entitled"),
        ({"ends": timedelta(0)}, "grace_period"),
        ({"ends": -29 * DAY}, "grace_period"),
        ({"ends": -30 * DAY}, "not_entitled"),
        ({"ends": timedelta(0), "grace": timedelta(0)}, "not_entitled"),
        ({"starts": timedelta(0)}, "entitled"),
        ({"starts": timedelta(seconds=1)}, "not_entitled"),
        ({"starts": -DAY, "ends": -DAY}, "grace_period"),
    ],
)
def test_the_level_follows_the_times_of_the_licence(times: dict[str, timedelta], expected: str) -> None:
    answer = result(claims(features=RBAC, **times))
    assert level(answer) == expected
    assert answer.has_license == (expected != "not_entitled")
    assert answer.features[Feature.TEMPLATE_RBAC].enabled == (expected != "not_entitled")


@pytest.mark.parametrize("value", [0, -1])
def test_a_feature_that_a_licence_turns_off_is_not_licensed(value: int) -> None:
    assert level(result(claims(features={"template_rbac": value}))) == "not_entitled"


@pytest.mark.parametrize("said", [{"all_features": True}, {"feature_set": "enterprise"}, {"feature_set": "premium"}])
def test_a_licence_for_all_features_has_all_but_a_user_limit(said: dict[str, Any]) -> None:
    answer = result(claims(**said), configured=EVERYTHING)
    assert {feature for feature in Feature if level(answer, feature) == "entitled"} == EVERYTHING - LIMITS


def test_a_feature_that_needs_a_setting_is_enabled_by_both_together() -> None:
    licence = claims(all_features=True, features=dict.fromkeys(LIMITS, 5))
    assert {f for f, state in result(licence).features.items() if state.enabled} == ALWAYS_ON
    assert all(state.enabled for state in result(licence, configured=EVERYTHING).features.values())


def test_an_unknown_feature_is_left_out() -> None:
    assert set(result(claims(features={"teleportation": 1})).features) == EVERYTHING


def test_autostop_needs_advanced_scheduling_as_well() -> None:
    configured = frozenset({Feature.TEMPLATE_AUTOSTOP_REQUIREMENT})
    alone = result(claims(features={"template_autostop_requirement": 1}), configured=configured)
    assert not alone.features[Feature.TEMPLATE_AUTOSTOP_REQUIREMENT].enabled
    assert any("Advanced Template Scheduling" in text for text in alone.errors)
    assert result(claims(all_features=True), configured=configured).errors == []


# Several licences


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("entitled", 5), ("entitled", 10), ("entitled", 10)),
        (("grace_period", 5), ("grace_period", 10), ("grace_period", 10)),
        (("entitled", 5), ("grace_period", 10), ("entitled", 5)),
        (("entitled", 10), ("grace_period", 5), ("entitled", 10)),
    ],
)
def test_the_better_level_wins_and_then_the_higher_limit(
    first: tuple[str, int], second: tuple[str, int], expected: tuple[str, int]
) -> None:
    made = [
        claims(ends=DAY if name == "entitled" else -DAY, features={"user_limit": limit})
        for name, limit in (first, second)
    ]
    for order in itertools.permutations(made):
        state = result(*order).features[Feature.USER_LIMIT]
        assert (state.entitlement, state.limit) == expected


def test_it_is_a_trial_only_when_every_licence_is_one() -> None:
    trial, paid = claims(trial=True), claims()
    assert result(trial, trial).trial
    assert not result(trial, paid).trial
    assert not result(paid, trial).trial
    assert result(trial, claims(starts=DAY)).trial


def test_telemetry_that_a_licence_requires_is_said_and_warned_of() -> None:
    answer = result(claims(require_telemetry=True, features=RBAC), claims())
    assert answer.require_telemetry
    assert any("telemetry" in text for text in answer.warnings)
    assert answer.features[Feature.TEMPLATE_RBAC].enabled


# Warnings and errors


def warned(answer: wire.Entitlements, text: str) -> list[str]:
    return [warning for warning in answer.warnings if text in warning]


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ({"ends": 30 * DAY}, []),
        ({"ends": 30 * DAY - timedelta(seconds=1)}, ["The licence expires in 30 days."]),
        ({"ends": DAY + timedelta(seconds=1)}, ["The licence expires in 2 days."]),
        ({"ends": DAY}, ["The licence expires in 1 day."]),
        ({"ends": timedelta(minutes=1)}, ["The licence expires in 1 day."]),
        ({"ends": timedelta(0)}, []),
        ({"ends": 7 * DAY, "trial": True}, []),
        ({"ends": 6 * DAY, "trial": True}, ["The licence expires in 6 days."]),
    ],
)
def test_the_end_is_announced_in_days(licence: dict[str, Any], expected: list[str]) -> None:
    assert warned(result(claims(**licence)), "expires") == expected


def test_the_end_is_announced_once_for_several_licences() -> None:
    assert warned(result(claims(ends=3 * DAY), claims(ends=5 * DAY)), "expires") == ["The licence expires in 5 days."]


@pytest.mark.parametrize(
    ("starts", "expected"),
    [(3 * DAY, []), (2 * DAY, []), (3 * DAY + timedelta(seconds=1), ["The licence expires in 3 days."])],
)
def test_a_licence_that_follows_without_a_gap_counts_towards_the_end(starts: timedelta, expected: list[str]) -> None:
    following = claims(starts=starts, ends=100 * DAY)
    assert warned(result(following, claims(ends=3 * DAY)), "expires") == expected


ADD_ON = {"user_limit": 100}


def test_an_add_on_for_longer_does_not_hide_that_everything_else_ends() -> None:
    answer = result(claims(ends=5 * DAY, all_features=True), claims(ends=300 * DAY, features=ADD_ON))
    assert warned(answer, "expires") == ["The licence for everything but User Limit expires in 5 days."]


def test_what_ends_alone_is_named() -> None:
    answer = result(claims(ends=5 * DAY, features=RBAC), claims(ends=300 * DAY, features={"scim": 1, "audit_log": 1}))
    assert warned(answer, "expires") == ["The licence for Template RBAC expires in 5 days."]


def test_what_ends_at_different_times_is_announced_for_each() -> None:
    answer = result(claims(ends=5 * DAY, features=RBAC), claims(ends=9 * DAY, features={"scim": 1, "audit_log": 1}))
    assert warned(answer, "expires") == [
        "The licence for Template RBAC expires in 5 days.",
        "The licence for Audit Log, SCIM expires in 9 days.",
    ]


def test_a_grace_period_that_ends_before_the_next_licence_starts_is_announced() -> None:
    graced = claims(ends=-DAY, grace=4 * DAY, all_features=True)
    later, in_time = (claims(starts=starts, ends=300 * DAY, all_features=True) for starts in (4 * DAY, 3 * DAY))
    text = "The grace period of the licence ends in 3 days."
    assert warned(result(graced, later), "grace period of") == [text]
    assert warned(result(graced, in_time), "grace period of") == []


def test_another_licences_grace_period_does_not_hide_an_end() -> None:
    graced = claims(ends=-DAY, grace=60 * DAY, features=ADD_ON)
    answer = result(graced, claims(ends=5 * DAY, all_features=True), claims(starts=30 * DAY, features=ADD_ON))
    assert warned(answer, "expires in") == ["The licence for everything but User Limit expires in 5 days."]


def test_an_add_on_of_a_trial_is_announced_as_late_as_a_trial() -> None:
    trial = claims(ends=10 * DAY, trial=True, features=RBAC)
    assert warned(result(trial, claims(ends=300 * DAY, features=ADD_ON)), "expires") == []


def test_a_licence_that_ends_before_its_term_is_announced_by_its_end() -> None:
    answer = result(claims(ends=90 * DAY, grace=-85 * DAY, features=RBAC))
    assert warned(answer, "expires") == ["The licence expires in 5 days."]


@pytest.mark.parametrize(("actual", "expected"), [(5, 0), (6, 1)])
def test_more_active_users_than_licensed_are_warned_of_and_nothing_else(actual: int, expected: int) -> None:
    answer = result(claims(features={"user_limit": 5} | RBAC), active_users=actual)
    assert len(warned(answer, f"{actual} active users, but licences for 5")) == expected
    assert answer.features[Feature.TEMPLATE_RBAC].enabled
    assert answer.features[Feature.USER_LIMIT].model_dump() == {
        "entitlement": "entitled",
        "enabled": True,
        "limit": 5,
        "actual": actual,
    }


def test_a_feature_without_a_licence_is_warned_of_once() -> None:
    answer = result(claims(features={"audit_log": 1}), configured=frozenset({Feature.SCIM}))
    assert warned(answer, "no licence has") == [
        f"{label} is off: no licence has {name}."
        for label, name in [
            ("Access Control", "access_control"),
            ("Advanced Template Scheduling", "advanced_template_scheduling"),
            ("External Provisioner Daemons", "external_provisioner_daemons"),
            ("SCIM", "scim"),
            ("Template RBAC", "template_rbac"),
            ("User Role Management", "user_role_management"),
            ("Workspace Proxy", "workspace_proxy"),
        ]
    ]


def test_a_feature_in_its_grace_period_is_warned_of() -> None:
    answer = result(claims(ends=-DAY, features=RBAC), claims(all_features=True, features={"template_rbac": 0}))
    assert warned(answer, "Template RBAC") == []
    answer = result(claims(ends=-DAY, all_features=True))
    assert len(warned(answer, "Template RBAC")) == 1
    assert "grace" in warned(answer, "Template RBAC")[0]


@pytest.mark.parametrize(
    ("licences", "replicas", "errors", "warnings"),
    [
        ([], 1, 0, 0),
        ([], 2, 1, 0),
        ([claims()], 2, 1, 0),
        ([claims()], 1, 0, 0),
        ([claims(features={"high_availability": 1})], 2, 0, 0),
        ([claims(ends=-DAY, features={"high_availability": 1})], 2, 0, 1),
        ([claims(ends=-DAY, features={"high_availability": 1})], 1, 0, 0),
    ],
)
def test_several_replicas_need_a_licence(licences: Sequence[Claims], replicas: int, errors: int, warnings: int) -> None:
    answer = result(*licences, replicas=replicas)
    assert (
        len([text for text in answer.errors if "high_availability" in text or "there is no licence" in text]) == errors
    )
    assert len(warned(answer, "High Availability")) == warnings


# What always holds


moments = st.integers(-400, 400).map(lambda days: days * DAY)
features = st.dictionaries(st.sampled_from([feature.value for feature in Feature]), st.integers(-1, 50), max_size=5)
any_claims = st.builds(
    claims,
    ends=moments,
    grace=st.integers(0, 60).map(lambda days: days * DAY),
    starts=st.none() | moments,
    features=features,
    all_features=st.booleans(),
    trial=st.booleans(),
    require_telemetry=st.booleans(),
)
circumstances = st.builds(
    Circumstances,
    now=st.just(NOW),
    active_users=st.integers(0, 100),
    configured=st.frozensets(st.sampled_from(Feature)),
    replicas=st.integers(1, 3),
)


@settings(deadline=None)
@given(st.lists(any_claims, max_size=4), any_claims, circumstances)
def test_a_licence_more_never_lowers_anything(licences: list[Claims], more: Claims, around: Circumstances) -> None:
    before, after = compute(licences, around), compute([*licences, more], around)
    for feature in Feature:
        old, new = before.features[feature], after.features[feature]
        assert (RANK[new.entitlement], new.limit or 0) >= (RANK[old.entitlement], old.limit or 0)
        assert new.enabled >= old.enabled
    assert after.has_license >= before.has_license


@settings(deadline=None)
@given(st.lists(any_claims, max_size=5), circumstances, st.randoms())
def test_the_order_of_licences_does_not_matter(licences: list[Claims], around: Circumstances, random: Any) -> None:
    shuffled = list(licences)
    random.shuffle(shuffled)
    assert compute(shuffled, around) == compute(licences, around)


@settings(deadline=None)
@given(st.lists(any_claims, max_size=4), circumstances)
def test_the_same_licence_twice_is_the_same(licences: list[Claims], around: Circumstances) -> None:
    assert compute([*licences, *licences], around) == compute(licences, around)


@settings(deadline=None)
@given(st.lists(any_claims, max_size=4), circumstances)
def test_only_what_is_licensed_is_enabled(licences: list[Claims], around: Circumstances) -> None:
    answer = compute(licences, around)
    assert set(answer.features) == EVERYTHING
    for state in answer.features.values():
        assert not state.enabled or state.entitlement != "not_entitled"
    assert answer.has_license or not any(state.enabled for state in answer.features.values())
    assert len(set(answer.warnings)) == len(answer.warnings)


@settings(deadline=None)
@given(st.lists(any_claims, max_size=4), circumstances)
def test_levels_change_only_when_next_change_says(licences: list[Claims], around: Circumstances) -> None:
    due = next_change(licences, NOW)
    just_before = (due or NOW + 5000 * DAY) - timedelta(microseconds=1)
    later = Circumstances(just_before, around.active_users, around.configured, around.replicas)
    assert compute(licences, later).features == compute(licences, around).features


# The last result


async def test_the_state_of_a_feature_has_no_limit_that_is_not_there(services: Services) -> None:
    state = services.entitlements.current.features[Feature.SCIM]
    assert state.model_dump_json() == '{"entitlement":"entitled","enabled":false}'


def test_a_limit_of_zero_users_is_shown() -> None:
    assert '"actual":0' in result().features[Feature.USER_LIMIT].model_dump_json()


async def test_a_feature_that_is_required_and_missing_is_named(database: Database) -> None:
    entitlements = Entitlements(database, PUBLIC_KEYS, uuid4())
    with pytest.raises(Forbidden, match=r"Template RBAC .* \(template_rbac\)") as refused:
        entitlements.require(Feature.TEMPLATE_RBAC)
    assert refused.value.detail == "Add a licence that has template_rbac."
    await add_license(database)
    await entitlements.refresh()
    entitlements.require(Feature.TEMPLATE_RBAC)


async def test_a_licensed_feature_that_no_setting_switches_on_is_named_so(database: Database) -> None:
    await add_license(database)
    entitlements = Entitlements(database, PUBLIC_KEYS, uuid4())
    await entitlements.refresh()
    with pytest.raises(Forbidden) as refused:
        entitlements.require(Feature.SCIM)
    assert "settings do not switch it on" in refused.value.detail
    entitlements = Entitlements(database, PUBLIC_KEYS, uuid4(), frozenset({Feature.SCIM}))
    await entitlements.refresh()
    entitlements.require(Feature.SCIM)


async def test_a_licence_whose_key_is_trusted_no_more_is_named_in_errors(database: Database) -> None:
    name = uuid4()
    await add_license(database, jti=str(name))
    entitlements = Entitlements(database, {}, uuid4())
    await entitlements.refresh()
    assert not entitlements.current.has_license
    assert [str(name) in text for text in entitlements.current.errors] == [True]


async def test_a_licence_for_another_deployment_is_named_in_errors(database: Database) -> None:
    await add_license(database, deployment_ids=[str(uuid4())])
    entitlements = Entitlements(database, PUBLIC_KEYS, uuid4())
    await entitlements.refresh()
    assert not entitlements.current.has_license
    assert len(entitlements.current.errors) == 1
