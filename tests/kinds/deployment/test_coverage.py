"""Until when licences cover what they cover now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coder_enterprise.kinds.deployment.coverage import cover_ends

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EVERYTHING = {"all_features": True, "features": {"user_limit": 100}}


def licence(starts: int, expires: int, grace: int = 0, **claims: Any) -> dict[str, Any]:
    """In days from now; by itself it is for everything."""
    times = {"nbf": starts, "license_expires": expires, "exp": expires + grace}
    seconds = {name: (NOW + timedelta(days=days)).timestamp() for name, days in times.items()}
    return {**seconds, **(claims or EVERYTHING)}


def days(*licences: dict[str, Any]) -> int | None:
    end = cover_ends(licences, NOW)
    return None if end is None else (end - NOW).days


@pytest.mark.parametrize(
    ("licences", "left"),
    [
        ([licence(-10, 20)], 20),
        ([licence(-10, 20), licence(20, 400)], 400),
        ([licence(15, 400), licence(-10, 20)], 400),
        ([licence(-10, 20), licence(10, 30), licence(30, 50)], 50),
        ([licence(-10, 20), licence(-5, 300)], 300),
    ],
)
def test_licences_that_follow_without_a_gap_are_one_cover(licences: list[dict[str, Any]], left: int) -> None:
    assert days(*licences) == left


def test_what_begins_after_a_gap_does_not_count() -> None:
    assert days(licence(-10, 20), licence(21, 400)) == 20


def test_a_grace_period_closes_no_gap() -> None:
    assert days(licence(-10, 20, grace=30), licence(25, 400)) == 20


def test_an_add_on_that_ends_later_hides_no_end() -> None:
    assert days(licence(-10, 20), licence(-10, 400, features={"user_limit": 500})) == 20


def test_a_feature_that_ends_before_the_others_is_the_end() -> None:
    assert days(licence(-10, 400), licence(-10, 5, features={"managed_agent_limit": 5})) == 5


def test_a_feature_that_a_licence_for_everything_has_too_does_not_end_before_it() -> None:
    assert days(licence(-10, 400), licence(-10, 5, features={"scim": 1})) == 400


def test_in_its_grace_period_the_end_is_past() -> None:
    assert days(licence(-40, -3, grace=30)) == -3


def test_what_has_ended_for_good_is_told_by_its_last_end() -> None:
    assert days(licence(-40, -9), licence(-80, -50)) == -9


@pytest.mark.parametrize("end", [None, True, "2027-01-01", 1e300, -1e300])
def test_claims_that_cannot_be_read_say_nothing(end: Any) -> None:
    assert days({"license_expires": end}) is None
    assert days({"license_expires": end}, licence(-1, 7)) == 7
