"""What a CoderDeployment lets objects of other namespaces do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest

from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.consent import Allowance, AllowedKind, Demand, NamespaceSelector, refusal
from coder_enterprise.kinds.registry import MANAGED_KINDS

KINDS: Final = {kind.names.kind: kind for kind in MANAGED_KINDS}
GROUP: Final = Demand("CoderGroup", organization="default")
USER: Final = Demand("CoderUser")
ACL_BY_ID: Final = "91000000-0000-4000-8000-000000000000"


def allowance(**fields: Any) -> Allowance:
    return Allowance.model_validate({"namespaces": ["team"], **fields})


def demand(kind: str, changes: Sequence[Change] = (), **spec: Any) -> Demand:
    found: ManagedKind[Any, Any] = KINDS[kind]
    return found.demand(found.spec_model.model_validate(spec), changes)


def roles(*names: str) -> Demand:
    return Demand("CoderUser", roles=frozenset(names))


def test_every_kind_can_be_allowed() -> None:
    assert set(AllowedKind) == set(KINDS)


@pytest.mark.parametrize(
    ("entry", "asked", "lacking"),
    [
        ({}, GROUP, ""),
        ({}, USER, ""),
        ({"kinds": ["CoderGroup"]}, GROUP, ""),
        ({"kinds": ["CoderGroup"]}, USER, "kinds: CoderUser"),
        ({"organizations": ["default"]}, GROUP, ""),
        ({"organizations": ["acme"]}, GROUP, "organizations: default"),
        ({"organizations": ["acme"]}, USER, "organizations: a CoderUser is of the whole deployment"),
        ({}, roles("auditor"), "roles: auditor"),
        ({}, roles(), "roles: none, so spec.roles must be left out"),
        ({"roles": ["auditor"]}, roles("auditor"), ""),
        ({"roles": ["auditor"]}, roles("auditor", "owner"), "roles: auditor, owner"),
        ({"roles": []}, roles(), ""),
        ({"roles": ["*"]}, roles("owner"), ""),
        ({}, Demand("CoderWorkspaceProxy", workload=True), "workload: true"),
        ({"workload": True}, Demand("CoderWorkspaceProxy", workload=True), ""),
    ],
)
def test_an_entry_allows_what_it_says(entry: dict[str, Any], asked: Demand, lacking: str) -> None:
    assert allowance(**entry).lacks(asked) == lacking


def test_one_entry_must_allow_all_that_is_asked_for() -> None:
    entries = [allowance(kinds=["CoderGroup"], organizations=["acme"]), allowance(kinds=["CoderUser"])]
    assert "organizations: default or kinds: CoderGroup" in refusal(entries, "team", GROUP)
    assert refusal(entries, "team", USER) == ""


def test_who_is_in_no_entry_is_told_where_to_be_listed() -> None:
    assert "spec.allow" in refusal([], "team", USER)


@pytest.mark.parametrize(
    ("kind", "spec", "asked"),
    [
        ("CoderGroup", {}, GROUP),
        ("CoderGroup", {"organization": "acme"}, Demand("CoderGroup", organization="acme")),
        (
            "CoderTemplateACL",
            {"template": {"name": "docker", "organization": "acme"}},
            Demand("CoderTemplateACL", organization="acme"),
        ),
        ("CoderTemplateACL", {"template": {"id": ACL_BY_ID}}, Demand("CoderTemplateACL")),
        ("CoderWorkspaceProxy", {}, Demand("CoderWorkspaceProxy")),
        (
            "CoderWorkspaceProxy",
            {"workload": {"image": "x", "accessURL": "https://eu.example.com"}},
            Demand("CoderWorkspaceProxy", workload=True),
        ),
        ("CoderUser", {"email": "ann@example.com"}, USER),
        ("CoderUser", {"email": "ann@example.com", "roles": ["owner"]}, roles("owner")),
        ("CoderLicense", {"secretRef": {"name": "licence"}}, Demand("CoderLicense")),
        ("CoderAppearance", {}, Demand("CoderAppearance")),
    ],
)
def test_an_object_asks_for_what_its_spec_declares(kind: str, spec: dict[str, Any], asked: Demand) -> None:
    assert demand(kind, **spec) == asked


def test_roles_that_would_be_taken_away_are_asked_for_too() -> None:
    change = Change(Action.REMOVE, "spec.roles", before="owner", subject="owner")
    assert demand("CoderUser", [change], email="ann@example.com", roles=["auditor"]) == roles("auditor", "owner")


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ({"matchLabels": {"team": "a"}}, {"team": "a", "x": "y"}, True),
        ({"matchLabels": {"team": "a"}}, {"team": "b"}, False),
        ({"matchLabels": {"team": "a"}}, {}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, {"team": "b"}, True),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]}, {}, False),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, {}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, {"team": "a"}, False),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, {"team": ""}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, {"team": ""}, False),
        (
            {"matchLabels": {"team": "a"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]},
            {"team": "a", "old": ""},
            False,
        ),
        ({}, {"team": "a"}, False),
    ],
)
def test_a_selector_reads_labels_as_kubernetes_does_but_an_empty_one_selects_nothing(
    selector: dict[str, Any], labels: dict[str, str], selected: bool
) -> None:
    assert NamespaceSelector.model_validate(selector).selects(labels) is selected
