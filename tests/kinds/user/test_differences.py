"""What differs between a CoderUser and the user in Coder, and what status says."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import records
from coder_enterprise.kinds.user.differences import canonical
from tests.kinds.user.builders import ANN, BERLIN, BOB, KIND, ORGANIZATION, Body, observed, plan, resource, spec, user
from tests.support.structural import problems

STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]


def test_a_user_who_is_not_there_is_created_and_given_the_rest() -> None:
    desired = spec(name="Ann", roles=["auditor"], state="suspended", quietHours={"schedule": BERLIN})
    assert plan(desired, observed()) == [
        "create ann",
        "spec.roles: add auditor",
        "spec.state: 'active' becomes 'suspended'",
        f"spec.quietHours.schedule: None becomes '{BERLIN}'",
    ]


@pytest.mark.parametrize(
    ("declared", "actual", "expected"),
    [
        ({}, {"username": "annie"}, []),
        ({"username": "ann"}, {"username": "Ann"}, ["spec.username: 'Ann' becomes 'ann'"]),
        ({"name": "Ann"}, {"name": "Old"}, ["spec.name: 'Old' becomes 'Ann'"]),
        ({"name": ""}, {"name": "Old"}, ["spec.name: 'Old' becomes ''"]),
        ({"name": ""}, {"name": None}, []),
        ({}, {"name": "Old"}, []),
        ({}, {"email": "ANN@example.com"}, []),
        ({}, {"email": "x@example.com"}, ["spec.email: 'x@example.com' becomes 'ann@example.com'"]),
        ({"loginType": "github"}, {}, ["spec.loginType: 'oidc' becomes 'github'"]),
        ({}, {"login_type": "password"}, []),
        ({"loginType": "github"}, {"login_type": ""}, []),
        ({}, {"status": "dormant"}, []),
        ({}, {"status": "suspended"}, []),
        ({"state": "active"}, {"status": "suspended"}, ["spec.state: 'suspended' becomes 'active'"]),
        ({"state": "active"}, {"status": "dormant"}, []),
        ({"state": "suspended"}, {"status": "dormant"}, ["spec.state: 'dormant' becomes 'suspended'"]),
        ({"state": "suspended"}, {"status": "suspended"}, []),
        ({}, {"roles": ["owner"]}, []),
        ({"roles": []}, {"roles": ["owner", "member"]}, ["spec.roles: remove owner"]),
        (
            {"roles": ["auditor", "user-admin"]},
            {"roles": ["user-admin", "owner"]},
            ["spec.roles: add auditor", "spec.roles: remove owner"],
        ),
    ],
)
def test_what_is_declared_is_corrected_and_the_rest_left_alone(
    declared: Body, actual: Body, expected: list[str]
) -> None:
    assert plan(spec(**declared), observed(user(**actual))) == expected


def test_a_role_in_one_organization_is_none_in_the_deployment() -> None:
    found = replace(user(), roles=(records.Role(name="auditor", organization_id=ORGANIZATION),))
    assert plan(spec(roles=[]), observed(found)) == []


def test_a_name_that_coder_does_not_show_is_compared_with_what_was_written() -> None:
    hidden = observed(user(name=None))
    assert plan(spec(name="Ann"), hidden, {"name": "Ann"}) == []
    assert plan(spec(name="New"), hidden, {"name": "Ann"}) == ["spec.name: 'Ann' becomes 'New'"]
    assert KIND.report(spec(name="Ann"), hidden, (), {"name": "Ann"})["name"] == "Ann"


@pytest.mark.parametrize(
    ("declared", "actual"),
    [
        (BERLIN, BERLIN),
        (BERLIN, "CRON_TZ=Europe/Berlin 30 02 * * *"),
        ("CRON_TZ=Europe/Berlin   30  2 *  * *", BERLIN),
        ("0 3 * * *", "CRON_TZ=UTC 0 3 * * *"),
        ("00 03 * * *", "CRON_TZ=UTC 0 3 * * *"),
    ],
)
def test_the_same_schedule_in_another_spelling_is_the_same(declared: str, actual: str) -> None:
    hours = records.QuietHours(raw_schedule=actual)
    assert plan(spec(quietHours={"schedule": declared}), observed(user(), quiet_hours=hours)) == []


@pytest.mark.parametrize(
    "actual", ["CRON_TZ=UTC 30 2 * * *", "CRON_TZ=Europe/Berlin 2 30 * * *", "CRON_TZ=Europe/Berlin 30 3 * * *", "x"]
)
def test_another_schedule_is_another(actual: str) -> None:
    hours = records.QuietHours(raw_schedule=actual)
    changes = plan(spec(quietHours={"schedule": BERLIN}), observed(user(), quiet_hours=hours))
    assert changes == [f"spec.quietHours.schedule: '{actual}' becomes '{BERLIN}'"]


def test_quiet_hours_that_are_left_out_are_left_alone() -> None:
    assert plan(spec(), observed(user(), quiet_hours=records.QuietHours(raw_schedule=BERLIN))) == []


@given(st.text())
def test_every_text_has_a_canonical_form(text: str) -> None:
    assert canonical(text) == canonical(text)


def test_somebody_else_with_the_username_is_shown() -> None:
    assert plan(spec(), observed(rival=user(id=BOB, email="bob@example.com"))) == [
        "create ann",
        "spec.username: 'belongs to bob@example.com' becomes 'ann'",
    ]


def test_status_tells_how_the_user_is() -> None:
    hours = records.QuietHours(raw_schedule=BERLIN, timezone="Europe/Berlin")
    seen = observed(
        user(name="Ann", status="dormant"),
        quiet_hours=hours,
        quota=records.Quota(budget=-1, credits_consumed=3),
    )
    status = KIND.report(spec(), seen, (), {})
    assert status == {
        "id": ANN,
        "username": "ann",
        "name": "Ann",
        "status": "dormant",
        "quota": {"budget": -1, "consumed": 3},
        "quietHours": {"schedule": BERLIN, "timezone": "Europe/Berlin"},
    }
    assert list(problems(STATUS_SCHEMA, status)) == []


def test_a_user_who_is_not_there_clears_status() -> None:
    assert set(KIND.report(spec(), observed(), (), {"name": "Ann"}).values()) == {None}


def test_the_claim_is_the_email_in_any_case() -> None:
    assert KIND.external_name(resource(), spec(email="Ann@Example.com")) == "ann@example.com"
