"""What a plan of a workspace proxy names: settings, the token, and what is recorded before."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.kinds.proxy import workload_body
from coder_enterprise.kinds.proxy.find import ObservedProxy
from coder_enterprise.kinds.proxy.token import fingerprint
from tests.kinds.proxy.builders import (
    KIND,
    NOW,
    PROXY_ID,
    RECORDED,
    SECRET,
    TOKEN,
    Body,
    no_proxy,
    observed,
    plan,
    proxy,
    resource,
    spec,
)
from tests.support.manifests import workload


def test_a_proxy_that_is_not_there_is_created_with_a_token() -> None:
    assert plan(spec(), no_proxy()) == [
        "create eu",
        "spec.tokenSecret: 'none that this object made' becomes 'a new token'",
    ]


def test_a_workload_is_planned_with_the_proxy_that_it_is_for() -> None:
    assert plan(spec(workload=workload()), no_proxy())[2:] == ["create Deployment eu-wsproxy"]


def test_a_proxy_at_rest_is_left_alone() -> None:
    assert plan(spec(), observed()) == []
    assert plan(spec(displayName="EU", icon="/eu.png"), observed()) == []


@pytest.mark.parametrize(
    ("declared", "actual", "expected"),
    [
        ({"displayName": "Europe"}, {}, ["spec.displayName: 'EU' becomes 'Europe'"]),
        ({"icon": "/new.png"}, {}, ["spec.icon: '/eu.png' becomes '/new.png'"]),
        ({}, {"name": "EU"}, ["spec.name: 'EU' becomes 'eu'"]),
        ({}, {"display_name": "x", "icon_url": "/x"}, []),
    ],
)
def test_what_is_declared_is_corrected_and_the_rest_left_alone(
    declared: Body, actual: Body, expected: list[str]
) -> None:
    assert plan(spec(**declared), observed(proxy(**actual))) == expected


@pytest.mark.parametrize("field", ["url", "version", "updated_at", "wildcard_hostname"])
def test_what_a_registration_changes_is_no_difference(field: str) -> None:
    assert plan(spec(displayName="EU"), observed(proxy(**{field: "other"}))) == []


def why(seen: ObservedProxy, **declared: Any) -> str:
    """Why there is to be a new token; "" when the present one stays."""
    changes = KIND.plan(spec(**declared), seen, seen.resource.status)
    return next((str(change.before) for change in changes if change.path == "spec.tokenSecret"), "")


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (SECRET, ""),
        (None, "lost with the Secret"),
        ({}, "lost from the Secret"),
        (SECRET | {"CODER_PROXY_SESSION_TOKEN": ""}, "lost from the Secret"),
        (SECRET | {"CODER_PROXY_SESSION_TOKEN": "another"}, "not the one in the Secret"),
    ],
)
def test_a_secret_without_the_present_token_gets_a_new_one(secret: Body | None, expected: str) -> None:
    assert why(observed(secret=secret)) == expected


@pytest.mark.parametrize(
    "status",
    [
        {"id": PROXY_ID},
        {"tokenFingerprint": fingerprint(TOKEN)},
        {"id": "of another", "tokenFingerprint": fingerprint(TOKEN)},
    ],
)
def test_a_token_that_is_not_recorded_for_this_very_proxy_is_not_trusted(status: Body) -> None:
    assert why(observed(item=resource(status))) == "none that this object made"


@pytest.mark.parametrize(
    ("handled", "requested", "expected"),
    [
        (None, "", ""),
        (None, "a", "one that is to be replaced (a)"),
        ("a", "a", ""),
        ("a", "b", "one that is to be replaced (b)"),
        ("a", "", ""),
        ("x" * 256, "x" * 300, ""),
    ],
)
def test_an_annotation_rotates_once_for_each_value(handled: str | None, requested: str, expected: str) -> None:
    status = RECORDED | ({"lastHandledRotateAt": handled} if handled else {})
    assert why(observed(item=resource(status, rotate_token_at=requested))) == expected


@pytest.mark.parametrize(
    ("every", "expected"),
    [("13h", ""), ("12h", "one from 2026-03-01T00:00:00Z"), ("1h", "one from 2026-03-01T00:00:00Z"), (None, "")],
)
def test_a_token_is_rotated_when_it_is_too_old(every: str | None, expected: str) -> None:
    assert why(observed(), tokenSecret={"rotateEvery": every}) == expected


def test_the_next_rotation_is_not_slept_through() -> None:
    verdict = KIND.verdict(
        spec(tokenSecret={"rotateEvery": "12h"}), observed(now=NOW.replace(hour=11, minute=59, second=55))
    )
    assert verdict.revisit == 5


def test_a_rotation_is_no_drift() -> None:
    changes = KIND.plan(spec(), observed(secret=None), RECORDED)
    assert [change.event for change in changes] == ["TokenRotated"]


def test_another_address_of_the_deployment_is_written_without_a_new_token() -> None:
    seen = observed(primary_url="https://new.example.com")
    [change] = KIND.plan(spec(), seen, RECORDED)
    assert (change.after, why(seen)) == ("https://new.example.com", "")


def test_a_plan_shows_nothing_of_the_secret() -> None:
    changes = KIND.plan(spec(), observed(secret=dict.fromkeys(SECRET, "leaked")), RECORDED)
    assert "leaked" not in repr(changes)
    assert TOKEN not in repr(observed())


def test_observe_compares_only_what_coder_has() -> None:
    desired = spec(managementPolicy="Observe", displayName="Europe", workload=workload())
    assert plan(desired, observed(item=resource(), secret=None)) == ["spec.displayName: 'EU' becomes 'Europe'"]


TEXTS: Final = st.sampled_from(["a", "b"])


@given(
    st.fixed_dictionaries({}, optional={"displayName": TEXTS, "icon": st.sampled_from(["/a", "/b"])}),
    st.fixed_dictionaries({}, optional={"display_name": TEXTS, "icon_url": TEXTS, "name": TEXTS}),
    st.sampled_from([None, {}, SECRET]),
)
def test_a_plan_is_the_same_each_time_it_is_made(declared: Body, actual: Body, secret: Body | None) -> None:
    seen = observed(proxy(**actual), secret=secret)
    assert plan(spec(**declared), seen) == plan(spec(**declared), seen)


def test_a_token_that_is_about_to_die_is_forgotten_first() -> None:
    seen = observed(secret=None)
    changes = KIND.plan(spec(), seen, RECORDED)
    assert KIND.intent(spec(), changes, RECORDED) == {"tokenFingerprint": None}
    assert KIND.intent(spec(), changes, {}) == {}
    assert KIND.intent(spec(displayName="x"), KIND.plan(spec(displayName="x"), observed(), RECORDED), RECORDED) == {}


def test_a_workload_is_recorded_before_it_exists() -> None:
    desired = spec(workload=workload())
    changes = KIND.plan(desired, observed(), RECORDED)
    assert KIND.intent(desired, changes, RECORDED) == {"selector": workload_body.selector("eu")}
