"""What a plan of a licence names."""

from __future__ import annotations

import pytest

from coder_enterprise.kinds.license.claims import fingerprint
from tests.kinds.license.builders import KIND, UUID, Body, claims, in_days, license_, observed, plan, spec


def test_a_licence_that_is_not_there_is_uploaded() -> None:
    assert plan(spec(), observed(claims())) == [
        f"create licence {UUID}, valid until 2028-02-29T12:00:00Z",
    ]


def test_a_licence_that_is_there_is_left_alone() -> None:
    assert plan(spec(), observed(claims(), license_(1)), id="1") == []


def test_what_it_had_before_is_removed_once_the_new_one_is_in_force() -> None:
    old = license_(1, jti="old", license_expires=in_days(1))
    expected = ["spec.retireOld: remove licence old, valid until 2027-03-02T12:00:00Z"]
    assert plan(spec(), observed(claims(), license_(2), old, intended=True), id="1") == expected
    assert plan(spec(), observed(claims(), None, old), id="1")[1:] == expected


@pytest.mark.parametrize(
    ("fields", "values"),
    [({"retireOld": False}, {}), ({}, {"nbf": in_days(1)}), ({}, {"exp": in_days(0)})],
    ids=["as declared", "before the new one begins", "after the new one has ended"],
)
def test_what_it_had_before_stays(fields: Body, values: Body) -> None:
    seen = observed(claims(**values), license_(2, **values), license_(1, jti="old"), intended=True)
    assert plan(spec(**fields), seen, id="1") == []


def test_what_is_to_be_adopted_is_adopted_before_anything_is_removed() -> None:
    seen = observed(claims(), license_(2), license_(1, jti="old"))
    assert plan(spec(adoptionPolicy="AdoptIfIdentical"), seen, id="1") == []
    after = KIND.report(spec(), seen, (), {"id": "1", "owned": []})
    assert len(plan(spec(), seen, **after)) == 1
    verdict = KIND.verdict(spec(), seen)
    assert verdict.revisit is not None
    assert verdict.revisit < 1


def test_what_will_be_uploaded_is_recorded_first() -> None:
    changes = KIND.plan(spec(), observed(claims()), {})
    assert KIND.intent(spec(), changes, {"owned": ["a"]}) == {"owned": ["a", fingerprint(claims())]}
    assert KIND.intent(spec(), changes, {"owned": [fingerprint(claims())]}) == {}
    assert KIND.intent(spec(), (), {"owned": ["a"]}) == {}


def test_plan_claims_nothing() -> None:
    report = KIND.report(spec(managementPolicy="Plan"), observed(claims(), license_(1)), (), {})
    assert report["owned"] is None
