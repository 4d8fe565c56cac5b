"""Deleting never wedges: whatever goes first, the object goes too, and Coder is left as declared."""

from __future__ import annotations

import pytest

from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer


@pytest.fixture
def applied(connected: Namespace) -> Namespace:
    """With one group that Coder has."""
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    return connected


def test_deleting_the_object_deletes_the_group(applied: Namespace, coder: CoderAPI) -> None:
    applied.delete("CoderGroup", "platform")
    applied.wait_until_gone("CoderGroup", "platform")
    assert coder.find_group("platform") is None
    applied.wait_for_event("platform", "Deleted")


def test_a_group_that_is_gone_already_is_no_obstacle(applied: Namespace, coder: CoderAPI) -> None:
    coder.delete_group(coder.group("platform")["id"])
    applied.delete("CoderGroup", "platform")
    applied.wait_until_gone("CoderGroup", "platform")


def test_retain_leaves_the_group(applied: Namespace, coder: CoderAPI) -> None:
    applied.apply(group("platform", deletionPolicy="Retain"))
    applied.wait_for("CoderGroup", "platform", "Applied")
    applied.delete("CoderGroup", "platform")
    applied.wait_until_gone("CoderGroup", "platform")
    assert coder.find_group("platform") is not None


def test_an_object_that_was_never_applied_goes_at_once(connected: Namespace, coder: CoderAPI) -> None:
    coder.create_group("platform")
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "AlreadyExists")
    connected.delete("CoderGroup", "platform")
    connected.wait_until_gone("CoderGroup", "platform")
    assert coder.find_group("platform") is not None


@fault(
    name="Coder away during a deletion",
    injected="The server ends, and an object is deleted.",
    verdict="The object stays and says why, and goes with what it made when the server is back.",
)
def test_while_the_server_is_down_the_object_stays_and_says_why(
    applied: Namespace, server: CoderServer, coder: CoderAPI
) -> None:
    server.stop()
    applied.delete("CoderGroup", "platform")
    waits = applied.wait_for("CoderGroup", "platform", "Deleting")
    assert "force-detach" in waits["message"]
    assert "cannot be" in waits["message"]
    server.start()
    applied.wait_until_gone("CoderGroup", "platform", timeout=45)
    assert coder.find_group("platform") is None


def test_retain_does_not_wait_for_a_server_that_is_down(applied: Namespace, server: CoderServer) -> None:
    applied.apply(group("platform", deletionPolicy="Retain"))
    applied.wait_for("CoderGroup", "platform", "Applied")
    server.stop()
    applied.delete("CoderGroup", "platform")
    applied.wait_until_gone("CoderGroup", "platform")


def test_force_detach_frees_the_object_and_says_so(applied: Namespace, server: CoderServer, coder: CoderAPI) -> None:
    server.stop()
    applied.delete("CoderGroup", "platform")
    applied.wait_for("CoderGroup", "platform", "Deleting")
    applied.annotate("CoderGroup", "platform", force_detach="true")
    applied.wait_until_gone("CoderGroup", "platform")
    event = applied.wait_for_event("platform", "Released")
    assert (event["type"], "stays in Coder" in event["note"]) == ("Warning", True)
    server.start()
    assert coder.find_group("platform") is not None


def test_the_secret_may_go_first(applied: Namespace, coder: CoderAPI) -> None:
    applied.delete("Secret", "coder-token")
    applied.wait_for("CoderDeployment", "coder", "SecretNotFound")
    applied.delete("CoderGroup", "platform")
    applied.wait_until_gone("CoderGroup", "platform")
    assert coder.find_group("platform") is None


def test_the_deployment_may_go_first(applied: Namespace, coder: CoderAPI) -> None:
    applied.delete("CoderDeployment", "coder")
    applied.wait_until_gone("CoderDeployment", "coder")
    applied.delete("CoderGroup", "platform")
    applied.wait_until_gone("CoderGroup", "platform")
    assert coder.find_group("platform") is None


@fault(
    name="namespace deleted",
    injected="The namespace is deleted with its Secret, its CoderDeployment and all objects.",
    verdict="It goes, and Coder has none of the groups any more.",
)
def test_the_whole_namespace_may_go(applied: Namespace, coder: CoderAPI) -> None:
    applied.apply(*(group(f"group-{number}") for number in range(5)))
    for number in range(5):
        applied.wait_for("CoderGroup", f"group-{number}", "Applied")
    applied.delete_itself()
    wait_until(lambda: not applied.exists(), "the namespace is gone", timeout=60)
    assert [name for name in ("platform", "group-0", "group-4") if coder.find_group(name)] == []


@fault(
    name="credentials gone first",
    injected="Secret, CoderDeployment and object are deleted while no operator runs.",
    verdict="The object goes, and an event says what stays in Coder.",
)
def test_without_any_credentials_left_the_object_goes_and_says_what_stays(
    applied: Namespace, operator: OperatorProcess, coder: CoderAPI
) -> None:
    operator.stop()
    for kind, name in (("Secret", "coder-token"), ("CoderDeployment", "coder"), ("CoderGroup", "platform")):
        applied.delete(kind, name)
    operator.start()
    applied.wait_until_gone("CoderGroup", "platform", timeout=45)
    event = applied.wait_for_event("platform", "Orphaned")
    assert "stays in Coder" in event["note"]
    assert coder.find_group("platform") is not None


def test_a_deleted_object_comes_back_as_a_new_one(applied: Namespace, coder: CoderAPI) -> None:
    first = coder.group("platform")["id"]
    applied.delete("CoderGroup", "platform")
    applied.wait_until_gone("CoderGroup", "platform")
    applied.apply(group("platform"))
    applied.wait_for("CoderGroup", "platform", "Applied")
    assert coder.group("platform")["id"] != first


def test_everything_may_come_back_after_the_namespace_lost_its_deployment(
    applied: Namespace, server: CoderServer, coder: CoderAPI
) -> None:
    before = coder.group("platform")["id"]
    applied.delete("CoderDeployment", "coder")
    applied.delete("Secret", "coder-token")
    applied.wait_until_gone("CoderDeployment", "coder")
    applied.apply(secret(token=server.token), deployment(server.url))
    applied.wait_for("CoderDeployment", "coder", "Connected")
    applied.apply(group("platform", quotaAllowance=2))
    applied.wait_for("CoderGroup", "platform", "Applied")
    assert coder.group("platform")["id"] == before
