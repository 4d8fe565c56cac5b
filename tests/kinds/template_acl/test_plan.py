"""What a plan of an ACL names."""

from __future__ import annotations

import pytest

from tests.kinds.template_acl.builders import KIND, OTHER_GROUP, Body, entry, observed, people, plan, spec


def test_authoritative_makes_it_exactly_so() -> None:
    desired = spec(users={"anna": "use", "beth": "admin", "carl": "use"})
    assert plan(desired, people(beth="use", carl="use", dora="admin")) == [
        "spec.users[anna]: add use",
        "spec.users[beth]: 'use' becomes 'admin'",
        "spec.users[dora]: remove admin",
    ]


def test_users_that_are_left_out_are_left_alone() -> None:
    assert plan(spec(), people(anna="use"), [entry("anna", "use")]) == []


def test_an_empty_list_of_users_means_none() -> None:
    assert plan(spec(users={}), people(anna="use")) == ["spec.users[anna]: remove use"]


@pytest.mark.parametrize(
    ("declared", "shown", "recorded", "expected"),
    [
        ({"anna": "use"}, {}, [], ["spec.users[anna]: add use"]),
        ({"anna": "use"}, {"anna": "admin", "beth": "use"}, [], []),
        ({"anna": "admin"}, {"anna": "use"}, [], ["spec.users[anna]: 'use' becomes 'admin'"]),
        ({"anna": "use"}, {"anna": "admin"}, [entry("anna", "admin")], ["spec.users[anna]: 'admin' becomes 'use'"]),
        ({}, {"anna": "use"}, [entry("anna", "use")], ["spec.users[anna]: remove use"]),
        ({}, {"anna": "admin"}, [entry("anna", "use")], []),
        ({}, {"anna": "admin"}, [entry("anna", "admin", replaced="use")], ["spec.users[anna]: 'admin' becomes 'use'"]),
        ({}, {"anna": "use"}, [entry("anna", "admin", replaced="use")], []),
        ({}, {}, [entry("anna", "use")], []),
    ],
)
def test_additive_gives_at_least_and_takes_back_its_own(
    declared: Body, shown: dict[str, str], recorded: list[Body], expected: list[str]
) -> None:
    assert plan(spec(mode="Additive", users=declared), people(**shown), recorded) == expected


@pytest.mark.parametrize(
    ("everyone", "mode", "has", "expected"),
    [
        ("unmanaged", "Authoritative", "admin", []),
        ("none", "Authoritative", "use", ["spec.everyone: 'use' becomes 'none'"]),
        ("none", "Additive", "use", ["spec.everyone: 'use' becomes 'none'"]),
        ("none", "Authoritative", "none", []),
        ("use", "Authoritative", "none", ["spec.everyone: 'none' becomes 'use'"]),
        ("use", "Authoritative", "admin", ["spec.everyone: 'admin' becomes 'use'"]),
        ("use", "Additive", "admin", []),
    ],
)
def test_everyone_is_as_declared(everyone: str, mode: str, has: str, expected: list[str]) -> None:
    assert plan(spec(everyone=everyone, mode=mode), {}, everyone=has) == expected


def test_what_was_recorded_of_a_template_that_is_gone_does_not_count() -> None:
    desired = spec(mode="Additive", users={})
    recorded = {"templateID": OTHER_GROUP, "appliedUsers": [entry("anna", "use")]}
    assert KIND.plan(desired, observed(desired, people(anna="use")), recorded) == []


@pytest.mark.parametrize(
    ("status", "recorded", "expected"),
    [
        ("dormant", {"hidden": "dormant"}, []),
        ("dormant", {}, ["spec.users[anna]: add use"]),  # it was shown: somebody took it away
        ("active", {"hidden": "dormant"}, ["spec.users[anna]: add use"]),
        ("active", {"hidden": "active"}, []),  # it was given, and did not appear: once is enough
        ("suspended", {}, []),
        ("suspended", {"hidden": "unsure"}, ["spec.users[anna]: add use"]),
        ("dormant", {"hidden": "unsure"}, ["spec.users[anna]: add use"]),
    ],
)
def test_whom_coder_does_not_show_is_as_he_was_applied(status: str, recorded: Body, expected: list[str]) -> None:
    assert plan(spec(users={"anna": "use"}), {}, [entry("anna", "use", **recorded)], anna=status) == expected


@pytest.mark.parametrize("mode", ["Authoritative", "Additive"])
@pytest.mark.parametrize("status", ["dormant", "suspended", "deleted"])
@pytest.mark.parametrize("recorded", [{}, {"hidden": "dormant"}])
def test_an_entry_that_is_not_shown_is_taken_away_too(recorded: Body, status: str, mode: str) -> None:
    changes = plan(spec(mode=mode, users={}), {}, [entry("anna", "use", **recorded)], anna=status)
    assert changes == ["spec.users[anna]: remove use"]
