"""CoderTemplateACL from YAML to Coder and back, against a server of each wire profile where the two differ.

The documented profile does not tell which groups have a role: there it is asked as a member of the group.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import pytest

from coder_enterprise.wire.profiles import Profile
from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, group, members, roles, template_acl
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer

KIND: Final = "CoderTemplateACL"
BY_REFERENCE: Final = [{"groupRef": {"name": "data"}, "role": "use"}]
BY_NAME: Final = [{"name": "platform", "role": "use"}]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    with CoderServer(profile=getattr(request, "param", Profile.CODERSDK)) as process:
        yield process
        print(process.log.read_text()[-4000:])


in_both_profiles: Final = pytest.mark.parametrize("server", list(Profile), indirect=True)


@pytest.fixture
def docker(coder: CoderAPI) -> str:
    """The id of a new template, with ann, bob and eve around it."""
    for name in ("ann", "bob", "eve"):
        coder.create_user(name)
    template_id: str = coder.create_template("docker")["id"]
    return template_id


def sees(server: CoderServer, coder: CoderAPI, user: str, template_id: str) -> bool:
    """Whether the template is there for that user."""
    with contextlib.closing(CoderAPI(server.url, coder.create_token(user))) as api:
        return api.sees_template(template_id)


def settle(connected: Namespace, *objects: Body, reason: str = "Applied", name: str = "docker") -> Body:
    connected.apply(*objects)
    return connected.wait_for(KIND, name, reason)


@in_both_profiles
def test_users_get_their_roles_by_email_and_by_name(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    declared = [*roles(bob="use"), {"user": "ANN@example.com", "role": "admin"}]
    settle(connected, template_acl("docker", users=declared))
    assert coder.user_roles(docker) == {"ann": "admin", "bob": "use"}
    status = connected.status(KIND, "docker")
    assert (status["id"], status["templateID"]) == (docker, docker)
    assert {entry["name"]: entry["role"] for entry in status["appliedUsers"]} == {
        "ann@example.com": "admin",
        "bob@example.com": "use",
    }


def test_a_template_is_named_by_its_id_as_well(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    settle(connected, template_acl("docker", template={"id": docker}, users=roles(ann="use")))
    assert coder.user_roles(docker) == {"ann": "use"}


@in_both_profiles
def test_groups_get_their_roles_by_name_and_by_reference(
    connected: Namespace, coder: CoderAPI, server: CoderServer, docker: str
) -> None:
    coder.create_group("platform")
    coder.patch_group(coder.group("platform")["id"], add_users=[coder.create_user("pat")["id"]])
    data = group("data", members=members("ann"))
    settle(connected, data, template_acl("docker", everyone="none", groups=[*BY_NAME, *BY_REFERENCE]))
    assert {name: sees(server, coder, name, docker) for name in ("pat", "ann", "bob")} == {
        "pat": True,
        "ann": True,
        "bob": False,
    }
    applied = {entry["name"]: entry["role"] for entry in connected.status(KIND, "docker")["appliedGroups"]}
    assert applied == {"data": "use", "platform": "use"}


@in_both_profiles
def test_everyone_none_hides_the_template_and_use_shows_it(
    connected: Namespace, coder: CoderAPI, server: CoderServer, docker: str
) -> None:
    assert sees(server, coder, "ann", docker)
    settle(connected, template_acl("docker", everyone="none"))
    assert not sees(server, coder, "ann", docker)
    assert connected.status(KIND, "docker")["everyone"] == "none"
    settle(connected, template_acl("docker", everyone="use"))
    assert sees(server, coder, "ann", docker)


@in_both_profiles
def test_whoever_does_not_exist_yet_is_pending_and_added_when_they_appear(
    connected: Namespace, coder: CoderAPI, docker: str
) -> None:
    declared = template_acl("docker", users=roles(ann="use", zoe="admin"), groups=BY_NAME)
    waits = settle(connected, declared, reason="PendingSubjects")
    assert waits["status"] == "True"
    assert connected.status(KIND, "docker")["pending"] == ["user zoe", "group platform"]
    assert coder.user_roles(docker) == {"ann": "use"}
    coder.create_user("zoe")
    coder.create_group("platform")
    connected.wait_for(KIND, "docker", "Applied", timeout=45)
    assert coder.user_roles(docker) == {"ann": "use", "zoe": "admin"}
    status = connected.status(KIND, "docker")
    assert "pending" not in status
    assert [entry["name"] for entry in status["appliedGroups"]] == ["platform"]


@in_both_profiles
def test_a_coder_group_is_waited_for_while_all_else_is_applied(
    connected: Namespace, coder: CoderAPI, server: CoderServer, docker: str
) -> None:
    declared = template_acl("docker", everyone="none", users=roles(ann="use"), groups=BY_REFERENCE)
    waits = settle(connected, declared, reason="WaitingForGroup")
    assert (waits["status"], "CoderGroup data" in waits["message"]) == ("False", True)
    assert coder.user_roles(docker) == {"ann": "use"}
    connected.apply(group("data", members=members("bob")))
    connected.wait_for(KIND, "docker", "Applied")
    assert sees(server, coder, "bob", docker)


@in_both_profiles
def test_a_group_that_is_deleted_leaves_the_acl_first(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    settle(connected, group("data"), template_acl("docker", groups=BY_REFERENCE))
    connected.delete("CoderGroup", "data")
    connected.wait_until_gone("CoderGroup", "data")
    connected.wait_for(KIND, "docker", "WaitingForGroup")
    wait_until(lambda: "appliedGroups" not in connected.status(KIND, "docker"), "nothing of the group is recorded")
    assert coder.find_group("data") is None


def test_a_template_is_waited_for(connected: Namespace, coder: CoderAPI) -> None:
    coder.create_user("ann")
    waits = settle(connected, template_acl("docker", users=roles(ann="use")), reason="WaitingForTemplate")
    assert "default/docker" in waits["message"]
    docker = coder.create_template("docker")["id"]
    connected.wait_for(KIND, "docker", "Applied")
    assert coder.user_roles(docker) == {"ann": "use"}


def test_authoritative_takes_everybody_else_away(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    settle(connected, template_acl("docker", users=roles(ann="use", bob="admin")))
    settle(connected, template_acl("docker", users=roles(bob="use")))
    assert coder.user_roles(docker) == {"bob": "use"}


def test_authoritative_takes_other_groups_away(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    theirs = coder.create_group("theirs")["id"]
    coder.create_group("platform")
    coder.patch_acl(docker, group_perms={theirs: "admin"})
    settle(connected, template_acl("docker", groups=BY_NAME, adoptionPolicy="Adopt"))
    assert coder.group_roles(docker) == {"platform": "use", "Everyone": "use"}


@in_both_profiles
def test_additive_takes_back_only_what_it_gave(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    people = {name: coder.create_user(name)["id"] for name in ("theirs", "raised")}
    coder.patch_acl(docker, user_perms={people["theirs"]: "admin", people["raised"]: "use"})
    settle(connected, template_acl("docker", mode="Additive", users=roles(ann="use", theirs="use", raised="admin")))
    assert coder.user_roles(docker) == {"ann": "use", "theirs": "admin", "raised": "admin"}
    settle(connected, template_acl("docker", mode="Additive", users=roles(bob="use")))
    assert coder.user_roles(docker) == {"bob": "use", "theirs": "admin", "raised": "use"}


def test_what_is_left_out_is_left_alone(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    coder.patch_acl(docker, user_perms={coder.create_user("theirs")["id"]: "admin"})
    settle(connected, template_acl("docker", everyone="none"))
    assert coder.user_roles(docker) == {"theirs": "admin"}


def test_drift_is_repaired_and_said(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    connected.patch("CoderDeployment", "coder", {"spec": {"resyncInterval": "5s"}})
    settle(connected, template_acl("docker", users=roles(ann="use")))
    eve = coder.create_user("mal")["id"]
    coder.patch_acl(docker, user_perms={eve: "admin"})
    wait_until(lambda: coder.user_roles(docker) == {"ann": "use"}, "the drift is repaired")
    event = connected.wait_for_event("docker", "DriftCorrected")
    assert "spec.users[mal@example.com]: remove admin" in event["note"]


def test_drift_of_groups_is_repaired(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    platform = coder.create_group("platform")["id"]
    settle(connected, template_acl("docker", groups=BY_NAME, everyone="use"))
    coder.patch_acl(docker, group_perms={platform: "admin", coder.create_group("theirs")["id"]: "use"})
    connected.annotate(KIND, "docker", reconcile_requested_at="now")
    expected = {"platform": "use", "Everyone": "use"}
    wait_until(lambda: coder.group_roles(docker) == expected, "the drift is repaired")


@in_both_profiles
def test_whether_groups_can_be_compared_is_said(connected: Namespace, server: CoderServer, docker: str) -> None:
    ready = settle(connected, template_acl("docker", everyone="use"))
    visible = connected.condition(KIND, "docker", "GroupsVisible")
    told = visible["status"] == "True"
    assert visible["reason"] == ("GroupsShown" if told else "GroupsNotShown")
    assert told == ("does not tell" not in ready["message"])


@in_both_profiles
def test_nothing_is_written_at_rest(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    coder.create_group("platform")
    settle(connected, template_acl("docker", everyone="none", users=roles(ann="use"), groups=BY_NAME))
    before = coder.audit_count()
    connected.annotate("CoderDeployment", "coder", reconcile_requested_at="now")
    wait_until(
        lambda: connected.status("CoderDeployment", "coder").get("lastHandledReconcileAt") == "now",
        "all lists are read anew",
    )
    connected.annotate(KIND, "docker", reconcile_requested_at="1")
    wait_until(lambda: connected.status(KIND, "docker").get("lastHandledReconcileAt") == "1", "it was visited")
    assert coder.audit_count() == before


@in_both_profiles
def test_an_acl_that_others_have_filled_is_refused_with_the_difference(
    connected: Namespace, coder: CoderAPI, docker: str
) -> None:
    coder.patch_acl(docker, user_perms={coder.create_user("theirs")["id"]: "admin"})
    refused = settle(connected, template_acl("docker", users=roles(ann="use")), reason="AlreadyExists")
    assert "the ACL of template docker" in refused["message"]
    status = connected.status(KIND, "docker")
    assert status["pendingChanges"] == [
        {"path": "spec.users[ann@example.com]", "to": "use"},
        {"path": "spec.users[theirs@example.com]", "from": "admin"},
    ]
    assert "id" not in status
    assert coder.user_roles(docker) == {"theirs": "admin"}
    settle(connected, template_acl("docker", users=roles(ann="use"), adoptionPolicy="Adopt"))
    assert coder.user_roles(docker) == {"ann": "use"}


def test_an_identical_acl_is_adopted_without_a_write(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    ann = coder.create_user("anna")["id"]
    coder.patch_acl(docker, user_perms={ann: "use"})
    before = coder.audit_count()
    settle(connected, template_acl("docker", users=roles(anna="use"), adoptionPolicy="AdoptIfIdentical"))
    assert coder.audit_count() == before


def test_plan_shows_the_difference_and_writes_nothing(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    before = coder.audit_count()
    declared = template_acl("docker", users=roles(ann="admin"), managementPolicy="Plan")
    settle(connected, declared, reason="Planned")
    assert connected.condition(KIND, "docker", "Synced")["reason"] == "Drifted"
    status = connected.status(KIND, "docker")
    assert status["pendingChanges"] == [{"path": "spec.users[ann@example.com]", "to": "admin"}]
    assert ("id" in status, status["templateID"]) == (False, docker)
    assert coder.audit_count() == before


def test_observe_writes_nothing(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    settle(connected, template_acl("docker", users=roles(ann="use"), managementPolicy="Observe"), reason="Observed")
    assert coder.user_roles(docker) == {}


def test_a_suspended_object_is_left_alone_until_it_is_resumed(
    connected: Namespace, coder: CoderAPI, docker: str
) -> None:
    settle(connected, template_acl("docker", users=roles(ann="use"), suspend=True), reason="Suspended")
    assert coder.user_roles(docker) == {}
    settle(connected, template_acl("docker", suspend=False))
    assert coder.user_roles(docker) == {"ann": "use"}


@pytest.mark.parametrize("mode", ["Authoritative", "Additive"])
@pytest.mark.parametrize("by_id", [False, True], ids=["by name", "by id"])
def test_of_two_objects_for_one_template_the_oldest_wins(
    connected: Namespace, coder: CoderAPI, docker: str, mode: str, by_id: bool
) -> None:
    settle(connected, template_acl("first", template={"name": "docker"}, mode=mode), name="first")
    template = {"id": docker} if by_id else {"name": "Docker"}
    second = template_acl("second", template=template, mode=mode, users=roles(ann="use"))
    conflict = settle(connected, second, name="second", reason="Conflict")
    assert f"{connected.name}/first" in conflict["message"]
    assert coder.user_roles(docker) == {}
    connected.delete(KIND, "first")
    connected.wait_for(KIND, "second", "Applied")
    assert coder.user_roles(docker) == {"ann": "use"}


@in_both_profiles
def test_deletion_takes_back_what_was_given(
    connected: Namespace, coder: CoderAPI, server: CoderServer, docker: str
) -> None:
    coder.create_group("platform")
    coder.patch_group(coder.group("platform")["id"], add_users=[coder.create_user("pat")["id"]])
    settle(connected, template_acl("docker", everyone="none", users=roles(ann="use"), groups=BY_NAME))
    assert sees(server, coder, "pat", docker)
    connected.delete(KIND, "docker")
    connected.wait_until_gone(KIND, "docker")
    assert coder.user_roles(docker) == {}
    assert not sees(server, coder, "pat", docker)


def test_deletion_with_retain_leaves_all(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    settle(connected, template_acl("docker", users=roles(ann="use"), deletionPolicy="Retain"))
    connected.delete(KIND, "docker")
    connected.wait_until_gone(KIND, "docker")
    assert coder.user_roles(docker) == {"ann": "use"}


def test_deletion_after_the_template_is_gone_is_no_trouble(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    settle(connected, template_acl("docker", users=roles(ann="use")))
    coder.delete_template(docker)
    connected.delete(KIND, "docker")
    connected.wait_until_gone(KIND, "docker")


def test_a_template_that_was_made_anew_gets_the_acl_anew(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    settle(connected, template_acl("docker", users=roles(ann="use")))
    coder.delete_template(docker)
    again = coder.create_template("docker")["id"]
    connected.annotate(KIND, "docker", reconcile_requested_at="now")
    wait_until(lambda: coder.user_roles(again) == {"ann": "use"}, "the new template has the entry")
    wait_until(lambda: connected.status(KIND, "docker")["id"] == again, "the new id is recorded")


def test_another_template_needs_another_object(connected: Namespace, coder: CoderAPI, docker: str) -> None:
    coder.create_template("other")
    settle(connected, template_acl("docker", users=roles(ann="use")))
    refused = settle(connected, template_acl("docker", template={"name": "other"}), reason="InvalidReference")
    assert "applied to template docker" in refused["message"]
    assert coder.user_roles(docker) == {"ann": "use"}
