"""A Terraform state says which things an export is about, and how Terraform lets go of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coder_enterprise.planner.terraform import Managed, StateError, ids_of, read_state, releases


def resource(type_: str, name: str, *instances: Any, **fields: Any) -> Any:
    return {"mode": "managed", "type": type_, "name": name, "instances": list(instances), **fields}


STATE = {
    "version": 4,
    "resources": [
        resource("coderd_group", "one", {"attributes": {"id": "g1", "name": "one"}}),
        resource("coderd_group", "each", {"index_key": "a b", "attributes": {"id": "g2"}}, module="module.teams"),
        resource("coderd_user", "count", {"index_key": 0, "attributes": {"id": "u1", "password": "hidden"}}),
        resource("coderd_template", "docker", {"attributes": {"id": "t1", "acl": {"users": [], "groups": []}}}),
        resource("coderd_template", "plain", {"attributes": {"id": "t2", "acl": None}}),
        resource("coderd_organization", "acme", {"attributes": {"id": "o1"}}),
        resource("coderd_provisioner_key", "edge", {"attributes": {"name": "edge", "key": "hidden"}}),
        resource("aws_instance", "other", {"attributes": {"id": "i1"}}),
        {**resource("coderd_group", "read", {"attributes": {"id": "g3"}}), "mode": "data"},
    ],
}


def shown(address: str, id_: str) -> Any:
    return {"mode": "managed", "address": address, "type": "coderd_group", "values": {"id": id_}}


SHOWN = {
    "values": {
        "root_module": {
            "resources": [shown("coderd_group.one", "g1")],
            "child_modules": [{"resources": [shown('module.teams.coderd_group.each["a b"]', "g2")]}],
        }
    }
}


def test_a_state_names_resources_as_terraform_does() -> None:
    assert [each.address for each in read_state(json.dumps(STATE))] == [
        "coderd_group.one",
        'module.teams.coderd_group.each["a b"]',
        "coderd_user.count[0]",
        "coderd_template.docker",
        "coderd_template.plain",
        "coderd_organization.acme",
        "coderd_provisioner_key.edge",
    ]


def test_exported_is_only_what_there_is_a_kind_for_and_terraform_manages() -> None:
    assert ids_of(read_state(json.dumps(STATE))) == {"g1", "g2", "u1", "t1"}


def test_what_terraform_shows_is_read_as_well() -> None:
    assert read_state(json.dumps(SHOWN)) == [
        Managed("coderd_group.one", "coderd_group", "g1"),
        Managed('module.teams.coderd_group.each["a b"]', "coderd_group", "g2"),
    ]


def test_no_secret_of_a_state_is_kept() -> None:
    assert "hidden" not in repr(read_state(json.dumps(STATE)))


def test_the_commands_that_let_go_can_be_pasted_into_a_shell() -> None:
    told = releases(read_state(json.dumps(STATE)), frozenset({"g1", "g2", "t1"}))
    assert told == [
        "terraform state rm coderd_group.one",
        "terraform state rm 'module.teams.coderd_group.each[\"a b\"]'",
        "# coderd_user.count[0] is not in Coder, or has nothing to declare: nothing was exported for it",
        "# coderd_template.docker stays with Terraform: set `acl = null` there, and apply",
        "# coderd_template.plain stays with Terraform, which leaves its ACL alone: nothing was exported for it",
        "# coderd_organization.acme stays with Terraform: there is no kind for it",
        "# coderd_provisioner_key.edge stays with Terraform: there is no kind for it",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 3}',
        '{"version": 4, "resources": 5}',
        '{"values": []}',
        '{"values": {"root_module": {"resources": [{"mode": "managed", "type": 5, "address": "a"}]}}}',
    ],
)
def test_what_is_no_state_is_said_to_be_none(text: str) -> None:
    with pytest.raises(StateError):
        read_state(text)
