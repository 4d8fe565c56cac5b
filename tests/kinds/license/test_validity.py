"""How a licence stands, by the time of day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import records
from coder_enterprise.kinds.machinery.base import Progress
from coder_enterprise.kinds.machinery.moments import DAY
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.license.builders import KIND, NOW, Body, claims, in_days, license_, observed, spec
from tests.support.structural import problems

STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]


@pytest.mark.parametrize(
    ("days", "grace", "trial", "reason", "left"),
    [
        (365, 395, False, Reason.VALID, 365),
        (29.1, 60, False, Reason.VALID, 30),
        (29, 60, False, Reason.EXPIRES_SOON, 29),
        (6.1, 60, True, Reason.VALID, 7),
        (6, 60, True, Reason.EXPIRES_SOON, 6),
        (0.001, 60, False, Reason.EXPIRES_SOON, 1),
        (0, 60, False, Reason.GRACE_PERIOD, 0),
        (-10, 20, False, Reason.GRACE_PERIOD, 0),
        (-60, 0, False, Reason.EXPIRED, 0),
    ],
)
def test_how_a_licence_stands_is_said_as_coder_counts(
    days: float, grace: float, trial: bool, reason: Reason, left: int
) -> None:
    values = {"license_expires": in_days(days), "exp": in_days(grace), "trial": trial}
    seen = observed(claims(**values), license_(1, **values))
    verdict = KIND.verdict(spec(), seen)
    [condition] = verdict.conditions
    assert (condition.type, condition.reason) == ("Valid", reason)
    assert condition.warns is (reason is not Reason.VALID)
    assert verdict.progress is (Progress.STALLED if reason is Reason.EXPIRED else Progress.DONE)
    assert KIND.report(spec(), seen, (), {})["daysLeft"] == left


def test_a_licence_that_has_not_begun_is_not_valid_yet() -> None:
    values = {"nbf": in_days(1)}
    verdict = KIND.verdict(spec(), observed(claims(**values), license_(1, **values)))
    assert (verdict.ready, verdict.conditions[0].reason) == (True, Reason.NOT_YET_VALID)


@given(st.floats(-50, 50), st.floats(0, 40))
def test_an_object_is_visited_when_something_changes_and_at_least_every_hour(days: float, grace: float) -> None:
    values = {"license_expires": in_days(days), "exp": in_days(days + grace)}
    seen = observed(claims(**values), license_(1, **values))
    verdict, before = KIND.verdict(spec(), seen), KIND.report(spec(), seen, (), {})
    if verdict.revisit is None:
        later = replace(seen, now=NOW + timedelta(days=1000))
    else:
        assert 0 < verdict.revisit <= 3600
        later = replace(seen, now=NOW + max(timedelta(0), timedelta(seconds=verdict.revisit - 0.3)))
    assert KIND.report(spec(), later, (), {}) == before
    assert KIND.verdict(spec(), later).conditions == verdict.conditions


def test_the_days_left_change_once_a_day() -> None:
    seen = observed(claims(), license_(1))
    shown = [KIND.report(spec(), replace(seen, now=NOW + hour * DAY / 24), (), {})["daysLeft"] for hour in range(49)]
    assert shown == [365] * 24 + [364] * 24 + [363]


odd_claims = st.fixed_dictionaries(
    {},
    optional={
        "features": st.dictionaries(st.text(max_size=200), st.integers() | st.text(max_size=3), max_size=3) | st.none(),
        "feature_set": st.text(max_size=200) | st.integers(),
        "all_features": st.booleans() | st.none() | st.integers(),
        "trial": st.booleans() | st.text(max_size=2),
        "jti": st.text(max_size=100) | st.integers(),
        "license_expires": st.floats() | st.integers() | st.text(max_size=2),
        "exp": st.floats() | st.integers(),
        "nbf": st.floats() | st.integers() | st.none(),
    },
)


@given(odd_claims)
def test_whatever_a_licence_claims_status_fits_into_its_schema(odd: Body) -> None:
    found = claims() | odd
    seen = observed(found, records.License(id=2**31 - 1, uuid="x" * 100, claims=found))
    KIND.plan(spec(), seen, {})
    KIND.plan(spec(), replace(seen, current=None, external_id=None), {})
    KIND.verdict(spec(), seen)
    shown = {key: value for key, value in KIND.report(spec(), seen, (), {}).items() if value is not None}
    assert list(problems(STATUS_SCHEMA, shown)) == []


def test_features_are_what_is_licensed() -> None:
    seen = observed(claims(), license_(1, feature_set="premium"))
    assert KIND.report(spec(), seen, (), {})["features"] == {"all_features": 1, "premium": 1, "user_limit": 1000}
