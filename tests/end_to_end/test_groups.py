"""CoderGroup from YAML to Coder and back: a real API server, a real Kubernetes, a real operator."""

from __future__ import annotations

from tests.support.kubernetes import Namespace
from tests.support.manifests import group, members
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess


def test_a_group_is_created_with_its_members_by_email_and_by_name(connected: Namespace, coder: CoderAPI) -> None:
    for name in ("ann", "bob"):
        coder.create_user(name)
    connected.apply(
        group("platform", displayName="Platform", quotaAllowance=7, members=members("ann@example.com", "bob"))
    )
    connected.wait_for("CoderGroup", "platform", "Applied")
    made = coder.group("platform")
    assert (made["display_name"], made["quota_allowance"]) == ("Platform", 7)
    assert coder.members("platform") == {"ann", "bob"}
    status = connected.status("CoderGroup", "platform")
    assert (status["id"], status["memberCount"]) == (made["id"], 2)


def test_an_edit_is_applied(connected: Namespace, coder: CoderAPI) -> None:
    coder.create_user("ann")
    connected.apply(group("platform", displayName="Old", members=members("ann")))
    connected.wait_for("CoderGroup", "platform", "Applied")
    connected.apply(group("platform", displayName="New", members=members()))
    connected.wait_for("CoderGroup", "platform", "Applied")
    assert coder.group("platform")["display_name"] == "New"
    assert coder.members("platform") == set()


def test_a_rename_keeps_the_group(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    before = coder.group("platform")["id"]
    connected.apply(group("platform", name="Platform-Team"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    assert coder.group("Platform-Team")["id"] == before


def test_what_spec_leaves_out_is_left_alone(connected: Namespace, coder: CoderAPI) -> None:
    coder.create_user("ann")
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    made = coder.group("platform")
    ann = coder.create_user("eve")["id"]
    coder.patch_group(made["id"], display_name="By hand", add_users=[ann])
    connected.apply(group("platform", quotaAllowance=3))
    connected.wait_for("CoderGroup", "platform", "Applied")
    assert coder.group("platform")["display_name"] == "By hand"
    assert coder.members("platform") == {"eve"}


def test_a_user_who_does_not_exist_yet_is_pending_and_added_when_they_appear(
    connected: Namespace, coder: CoderAPI
) -> None:
    connected.patch("CoderDeployment", "coder", {"spec": {"resyncInterval": "5s"}})
    coder.create_user("ann")
    connected.apply(group("platform", members=members("ann", "zoe@example.com")))
    waits = connected.wait_for("CoderGroup", "platform", "PendingMembers")
    assert (waits["status"], "zoe@example.com" in waits["message"]) == ("True", True)
    assert connected.status("CoderGroup", "platform")["pendingMembers"] == ["zoe@example.com"]
    assert coder.members("platform") == {"ann"}
    coder.create_user("zoe")
    connected.wait_for("CoderGroup", "platform", "Applied", timeout=45)
    assert coder.members("platform") == {"ann", "zoe"}
    assert "pendingMembers" not in connected.status("CoderGroup", "platform")


def test_drift_is_repaired_and_said(connected: Namespace, coder: CoderAPI, operator: OperatorProcess) -> None:
    connected.patch("CoderDeployment", "coder", {"spec": {"resyncInterval": "5s"}})
    connected.apply(group("platform", displayName="Platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    coder.patch_group(coder.group("platform")["id"], display_name="Drifted")
    wait_until(lambda: coder.group("platform")["display_name"] == "Platform", "the drift is repaired")
    event = connected.wait_for_event("platform", "DriftCorrected")
    assert "'Drifted' becomes 'Platform'" in event["note"]
    assert 'coder_enterprise_drift_found_total{kind="CoderGroup"} 1.0' in operator.metrics()


def test_a_group_that_was_deleted_behind_our_back_comes_back(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    first = coder.group("platform")["id"]
    coder.delete_group(first)
    connected.annotate("CoderGroup", "platform", reconcile_requested_at="now")
    made = wait_until(lambda: coder.find_group("platform"), "the group exists again")
    assert made is not None
    wait_until(lambda: connected.status("CoderGroup", "platform")["id"] == made["id"], "the new id is recorded")


def test_a_requested_reconcile_is_acknowledged(connected: Namespace) -> None:
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    connected.annotate("CoderGroup", "platform", reconcile_requested_at="2026-01-02")
    wait_until(
        lambda: connected.status("CoderGroup", "platform").get("lastHandledReconcileAt") == "2026-01-02",
        "the request is acknowledged",
    )


def test_a_name_that_is_taken_is_refused_with_the_difference(connected: Namespace, coder: CoderAPI) -> None:
    coder.create_group("platform", display_name="Theirs")
    connected.apply(group("platform", displayName="Ours"))
    refused = connected.wait_for("CoderGroup", "platform", "AlreadyExists")
    assert "adoptionPolicy" in refused["message"]
    status = connected.status("CoderGroup", "platform")
    assert status["pendingChanges"] == [{"path": "spec.displayName", "from": "Theirs", "to": "Ours"}]
    assert connected.condition("CoderGroup", "platform", "Stalled")["status"] == "True"
    assert "id" not in status
    assert coder.group("platform")["display_name"] == "Theirs"


def test_adopt_takes_over_what_exists(connected: Namespace, coder: CoderAPI) -> None:
    theirs = coder.create_group("platform", display_name="Theirs")
    connected.apply(group("platform", displayName="Ours", adoptionPolicy="AdoptIfIdentical"))
    connected.wait_for("CoderGroup", "platform", "NotIdentical")
    connected.apply(group("platform", displayName="Ours", adoptionPolicy="Adopt"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    assert coder.group("platform")["display_name"] == "Ours"
    assert connected.status("CoderGroup", "platform")["id"] == theirs["id"]
    assert connected.condition("CoderGroup", "platform", "Stalled") == {}


def test_an_identical_one_is_adopted_without_a_write(connected: Namespace, coder: CoderAPI) -> None:
    theirs = coder.create_group("platform", display_name="Same")
    connected.apply(group("platform", displayName="Same", adoptionPolicy="AdoptIfIdentical"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    assert connected.status("CoderGroup", "platform")["id"] == theirs["id"]


def test_of_two_objects_for_one_group_the_oldest_wins(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("first", name="platform", displayName="First"))
    connected.wait_for("CoderGroup", "first", "Applied")
    connected.apply(group("second", name="platform", displayName="Second", adoptionPolicy="Adopt"))
    conflict = connected.wait_for("CoderGroup", "second", "Conflict")
    assert f"{connected.name}/first" in conflict["message"]
    assert coder.group("platform")["display_name"] == "First"
    connected.delete("CoderGroup", "first")
    connected.wait_for("CoderGroup", "second", "Applied")
    assert coder.group("platform")["display_name"] == "Second"


def test_plan_shows_the_difference_and_writes_nothing(connected: Namespace, coder: CoderAPI) -> None:
    coder.create_group("platform", display_name="Theirs")
    connected.apply(group("platform", displayName="Ours", managementPolicy="Plan"))
    connected.wait_for("CoderGroup", "platform", "Planned")
    synced = connected.condition("CoderGroup", "platform", "Synced")
    assert (synced["status"], synced["reason"]) == ("False", "Drifted")
    changes = connected.status("CoderGroup", "platform")["pendingChanges"]
    assert changes == [{"path": "spec.displayName", "from": "Theirs", "to": "Ours"}]
    assert coder.group("platform")["display_name"] == "Theirs"


def test_observe_follows_what_coder_has(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("platform", managementPolicy="Observe"))
    connected.wait_for("CoderGroup", "platform", "NotFound")
    coder.create_group("platform")
    connected.annotate("CoderGroup", "platform", reconcile_requested_at="1")
    connected.wait_for("CoderGroup", "platform", "Observed")


def test_a_suspended_object_is_left_alone_until_it_is_resumed(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("platform", suspend=True))
    connected.wait_for("CoderGroup", "platform", "Suspended")
    assert coder.find_group("platform") is None
    connected.apply(group("platform", suspend=False))
    connected.wait_for("CoderGroup", "platform", "Applied")


def test_an_unknown_organization_is_waited_for(connected: Namespace) -> None:
    connected.apply(group("platform", organization="nowhere"))
    waits = connected.wait_for("CoderGroup", "platform", "WaitingForOrganization")
    assert "nowhere" in waits["message"]


def test_the_quota_of_everyone_can_be_set(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("all", name="Everyone", quotaAllowance=5, adoptionPolicy="Adopt"))
    connected.wait_for("CoderGroup", "all", "Applied")
    assert coder.group("Everyone")["quota_allowance"] == 5
    connected.delete("CoderGroup", "all")
    connected.wait_until_gone("CoderGroup", "all")
    assert coder.find_group("Everyone") is not None


def test_additive_removes_only_what_it_added(connected: Namespace, coder: CoderAPI) -> None:
    for name in ("ann", "bob"):
        coder.create_user(name)
    eve = coder.create_user("eve")["id"]
    connected.apply(group("platform", members=members("ann", "bob", mode="Additive")))
    connected.wait_for("CoderGroup", "platform", "Applied")
    coder.patch_group(coder.group("platform")["id"], add_users=[eve])
    connected.apply(group("platform", members=members("bob", mode="Additive")))
    connected.wait_for("CoderGroup", "platform", "Applied")
    assert coder.members("platform") == {"bob", "eve"}
