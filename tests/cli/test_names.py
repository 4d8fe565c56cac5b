"""What Kubernetes lets nothing be called ends a command before it asks anything, with the option and what to do."""

from __future__ import annotations

import pytest

from coder_enterprise.kinds.machinery.object_names import name_fault, namespace_fault
from tests.support.command import command

COMMANDS = (
    ("page", "--namespace"),
    ("get", "--namespace"),
    ("status", "-n"),
    ("events", "--namespace"),
    ("reconcile", "codergroup/data", "--namespace"),
    ("diff", "codergroup/data", "--namespace"),
    ("doctor", "--namespace"),
    ("doctor", "--before-install", "--namespace"),
    ("create", "token-secret", "token", "--url", "https://coder.example.com", "--namespace"),
    ("plan", "--filename", "-", "--namespace"),
    ("apply", "--filename", "-", "--namespace"),
    ("release", "--namespace", "team", "--namespace"),
    ("operator", "--namespace", "team", "--namespace"),
    ("operator", "--lease-namespace"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_what_can_be_no_namespace_is_refused_with_the_option(words: tuple[str, ...]) -> None:
    result = command(*words, "no/such")
    said = " ".join(result.stderr.split())
    assert result.exit_code == 2
    assert f"Invalid value for '{words[-1]}'" in said or f"/ '{words[-1]}'" in said
    assert "'no/such' can be no namespace" in said
    assert "kubectl get namespaces" in said


@pytest.mark.parametrize("name", ["no/such", "", "-a", "Team", "a" * 64, "ä", "a.b", "a\n", "..", "a%2fb"])
def test_what_kubernetes_takes_for_no_namespace_is_none(name: str) -> None:
    assert namespace_fault(name)


@pytest.mark.parametrize("name", ["a", "team-a", "9", "a" * 63])
def test_what_kubernetes_takes_for_a_namespace_is_one(name: str) -> None:
    assert not namespace_fault(name)


@pytest.mark.parametrize("name", ["a/b", "", ".", "a..b", "a.", "A", "a_b", "a" * 254])
def test_what_no_object_can_be_called_is_no_name(name: str) -> None:
    assert name_fault(name)


def test_a_name_that_no_object_can_have_is_refused_before_a_token_is_made() -> None:
    result = command("create", "token-secret", "no/such", "--url", "https://coder.example.com", "--username", "ann")
    assert result.exit_code == 2
    assert "can be no name" in result.stderr
