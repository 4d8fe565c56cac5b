"""CoderUser from YAML to Coder and back, with a server of either wire profile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, members, secret, user
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

PROFILES = ("documented", "codersdk")
SCIM_KEY = "the-key-of-the-identity-provider"
BERLIN = "CRON_TZ=Europe/Berlin 30 2 * * *"


@pytest.fixture(params=PROFILES)
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    with CoderServer(profile=request.param, CODER_SCIM_AUTH_HEADER=SCIM_KEY) as process:
        yield process
        print(process.log.read_text()[-4000:])


def applied(space: Namespace, name: str = "ann", /, **spec: object) -> str:
    """The id of a user who is applied."""
    space.apply(user(name, **spec))
    space.wait_for("CoderUser", name, "Applied")
    return str(space.status("CoderUser", name)["id"])


def test_a_user_is_made_and_given_what_is_declared(connected: Namespace, coder: CoderAPI) -> None:
    spec = {
        "name": "Ann Example",
        "roles": ["auditor"],
        "quietHours": {"schedule": "CRON_TZ=Europe/Berlin  30 02 * * *"},
    }
    made = applied(connected, **spec)
    found = coder.user("ann")
    assert (found["id"], found["email"], found["login_type"]) == (made, "ann@example.com", "oidc")
    assert found.get("name", "Ann Example") == "Ann Example"
    assert coder.roles("ann") == {"auditor"}
    assert coder.schedule("ann") == "CRON_TZ=Europe/Berlin 30 02 * * *"
    status = connected.status("CoderUser", "ann")
    assert (status["username"], status["name"]) == ("ann", "Ann Example")
    assert status["quietHours"]["timezone"] == "Europe/Berlin"


def test_at_rest_nothing_is_written(connected: Namespace, coder: CoderAPI, operator: OperatorProcess) -> None:
    applied(connected, name="Ann", roles=["auditor"], quietHours={"schedule": "CRON_TZ=Europe/Berlin 30 02 * * *"})
    connected.annotate("CoderUser", "ann", reconcile_requested_at="1")
    wait_until(
        lambda: connected.status("CoderUser", "ann").get("lastHandledReconcileAt") == "1", "the request is acknowledged"
    )
    requests = [line for line in operator.metrics().splitlines() if "external_requests_total" in line]
    done = {
        word: line for line in requests for word in ("create", "profile", "roles", "quiet-hours.set") if word in line
    }
    assert all(line.endswith(" 1.0") for line in done.values()), done
    assert "users.profile" not in "".join(requests)


def test_a_rename_keeps_the_user(connected: Namespace, coder: CoderAPI) -> None:
    made = applied(connected, name="Ann Example")
    assert applied(connected, username="annie") == made
    assert coder.user("annie")["id"] == made
    assert coder.find_user("ann") is None
    assert coder.user("annie").get("name", "Ann Example") == "Ann Example"


def test_a_user_is_suspended_and_let_in_again(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected)
    applied(connected, state="suspended")
    assert coder.user("ann")["status"] == "suspended"
    assert connected.status("CoderUser", "ann")["status"] == "suspended"
    applied(connected, state="active")
    assert coder.user("ann")["status"] == "active"


def test_roles_are_exactly_these_and_left_alone_when_left_out(connected: Namespace, coder: CoderAPI) -> None:
    made = applied(connected, roles=["auditor", "template-admin"])
    applied(connected, roles=["auditor"])
    assert coder.roles("ann") == {"auditor"}
    connected.patch("CoderUser", "ann", {"spec": {"roles": None}})
    connected.wait_for("CoderUser", "ann", "Applied")
    coder.set_roles(made, "user-admin")
    applied(connected, name="Ann")
    assert coder.roles("ann") == {"user-admin"}


def test_an_owner_is_demoted_before_they_are_suspended(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, roles=["owner"])
    applied(connected, roles=[], state="suspended")
    assert coder.user("ann")["status"] == "suspended"


def test_a_refused_suspension_is_said_in_the_servers_words(connected: Namespace, coder: CoderAPI) -> None:
    made = applied(connected, roles=["owner"])
    connected.apply(user("ann", state="suspended"))
    refused = connected.wait_for("CoderUser", "ann", "Refused")
    assert "owner" in refused["message"]
    assert connected.condition("CoderUser", "ann", "Stalled")["status"] == "True"
    assert connected.status("CoderUser", "ann")["id"] == made


def test_an_unknown_role_is_refused_and_the_user_kept(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(user("ann", roles=["no-such-role"]))
    connected.wait_for("CoderUser", "ann", "Refused")
    assert connected.status("CoderUser", "ann")["id"] == coder.user("ann")["id"]


def test_quiet_hours_without_a_licence_wait_and_the_rest_is_applied(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    with CoderServer(licensed=False) as server:
        api = CoderAPI(server.url, server.token)
        namespace.apply(secret(token=server.token), deployment(server.url), user("bob"))
        namespace.apply(user("ann", state="suspended", quietHours={"schedule": BERLIN}))
        namespace.wait_for("CoderUser", "ann", "NotEntitled")
        namespace.wait_for("CoderUser", "bob", "Applied")
        assert api.user("ann")["status"] == "suspended"
        assert namespace.status("CoderUser", "ann")["id"] == api.user("ann")["id"]
        api.close()


def test_who_exists_already_is_refused_with_the_difference_and_adopted_when_told(
    connected: Namespace, coder: CoderAPI
) -> None:
    theirs = coder.create_user("ann")
    coder.suspend_user(theirs["id"])
    connected.apply(user("ann", username="annie", state="active"))
    refused = connected.wait_for("CoderUser", "ann", "AlreadyExists")
    assert "adoptionPolicy" in refused["message"]
    status = connected.status("CoderUser", "ann")
    assert status["pendingChanges"] == [
        {"path": "spec.username", "from": "ann", "to": "annie"},
        {"path": "spec.state", "from": "suspended", "to": "active"},
    ]
    assert "id" not in status
    assert applied(connected, adoptionPolicy="Adopt", username="annie", state="active") == theirs["id"]
    assert coder.user("annie")["status"] == "active"


def test_whoever_an_admin_suspended_stays_so_and_keeps_their_name(connected: Namespace, coder: CoderAPI) -> None:
    theirs = coder.create_user("ann")
    coder.suspend_user(theirs["id"])
    assert applied(connected, "one", email="ann@example.com", adoptionPolicy="Adopt", name="Ann") == theirs["id"]
    assert coder.user("ann")["status"] == "suspended"


def test_an_identical_one_is_adopted(connected: Namespace, coder: CoderAPI) -> None:
    theirs = coder.create_user("ann")
    assert applied(connected, adoptionPolicy="AdoptIfIdentical", loginType="none") == theirs["id"]


def test_whoever_has_the_username_and_another_email_is_never_taken_over(connected: Namespace, coder: CoderAPI) -> None:
    coder.create_user("ann")
    connected.apply(user("ann", email="other@example.com", adoptionPolicy="Adopt", state="suspended"))
    refused = connected.wait_for("CoderUser", "ann", "AlreadyExists")
    assert "belongs to ann@example.com" in refused["message"]
    connected.delete("CoderUser", "ann")
    connected.wait_until_gone("CoderUser", "ann")
    assert coder.user("ann")["status"] != "suspended"


def test_of_two_objects_for_one_person_the_oldest_wins(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, "one", email="ann@example.com")
    connected.apply(user("two", email="Ann@Example.com", adoptionPolicy="Adopt"))
    conflict = connected.wait_for("CoderUser", "two", "Conflict")
    assert f"{connected.name}/one" in conflict["message"]
    assert coder.user("one")["email"] == "ann@example.com"
    assert coder.find_user("two") is None


def test_drift_is_repaired_and_said(connected: Namespace, coder: CoderAPI) -> None:
    connected.patch("CoderDeployment", "coder", {"spec": {"resyncInterval": "5s"}})
    made = applied(connected, roles=["auditor"], state="active")
    coder.suspend_user(made)
    coder.set_roles(made, "owner")
    wait_until(lambda: coder.user("ann")["status"] == "active", "the user is let in again")
    wait_until(lambda: coder.roles("ann") == {"auditor"}, "the roles are as declared")
    connected.wait_for_event("ann", "DriftCorrected")


def test_whoever_was_deleted_behind_our_back_is_made_anew(connected: Namespace, coder: CoderAPI) -> None:
    first = applied(connected)
    coder.delete_user(first)
    connected.annotate("CoderUser", "ann", reconcile_requested_at="now")
    wait_until(lambda: connected.status("CoderUser", "ann")["id"] != first, "the new id is recorded")
    assert coder.user("ann")["id"] == connected.status("CoderUser", "ann")["id"]


def test_the_deleted_object_suspends_the_user(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected)
    connected.delete("CoderUser", "ann")
    connected.wait_until_gone("CoderUser", "ann")
    assert coder.user("ann")["status"] == "suspended"
    assert "is suspended" in connected.wait_for_event("ann", "Released")["note"]
    applied(connected)
    assert coder.user("ann")["status"] == "active", "the object that comes back knows whom it suspended"
    wait_until(lambda: not connected.status("CoderDeployment", "coder").get("leftBehind"), "it is forgotten again")


def test_the_deleted_object_deletes_the_user_when_told(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, onDelete="Delete")
    connected.delete("CoderUser", "ann")
    connected.wait_until_gone("CoderUser", "ann")
    assert coder.find_user("ann") is None


def test_a_retained_user_is_left_as_they_are(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, deletionPolicy="Retain", onDelete="Delete")
    connected.delete("CoderUser", "ann")
    connected.wait_until_gone("CoderUser", "ann")
    assert coder.user("ann")["status"] != "suspended"


def test_a_group_gets_its_pending_member_as_soon_as_the_user_is_made(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("platform", members=members("ann@example.com")))
    connected.wait_for("CoderGroup", "platform", "PendingMembers")
    applied(connected)
    connected.wait_for("CoderGroup", "platform", "Applied")
    assert coder.members("platform") == {"ann"}


def test_plan_shows_the_difference_and_writes_nothing(connected: Namespace, coder: CoderAPI) -> None:
    coder.create_user("ann")
    connected.apply(user("ann", managementPolicy="Plan", roles=["auditor"]))
    connected.wait_for("CoderUser", "ann", "Planned")
    assert connected.status("CoderUser", "ann")["pendingChanges"] == [{"path": "spec.roles", "to": "auditor"}]
    assert coder.roles("ann") == set()


def test_observe_follows_who_is_there(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(user("ann", managementPolicy="Observe"))
    connected.wait_for("CoderUser", "ann", "NotFound")
    coder.create_user("ann")
    connected.annotate("CoderUser", "ann", reconcile_requested_at="1")
    connected.wait_for("CoderUser", "ann", "Observed")


def test_an_unknown_organization_is_waited_for(connected: Namespace) -> None:
    connected.apply(user("ann", organization="nowhere"))
    assert "nowhere" in connected.wait_for("CoderUser", "ann", "WaitingForOrganization")["message"]


def test_scim_without_a_key_says_what_is_missing(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(user("ann", via="SCIM"))
    assert "scimSecretRef" in connected.wait_for("CoderUser", "ann", "SCIMNotConfigured")["message"]
    assert coder.find_user("ann") is None


def use_scim(space: Namespace, key: str = SCIM_KEY) -> None:
    space.apply(secret("idp", scim=key))
    space.patch("CoderDeployment", "coder", {"spec": {"scimSecretRef": {"name": "idp"}}})
    space.wait_for("CoderDeployment", "coder", "Connected")


def test_scim_makes_suspends_and_lets_in(connected: Namespace, coder: CoderAPI) -> None:
    use_scim(connected)
    made = applied(connected, via="SCIM", name="Ann Example", roles=["auditor"])
    assert coder.user("ann")["id"] == made
    assert coder.roles("ann") == {"auditor"}
    applied(connected, state="suspended")
    assert coder.user("ann")["status"] == "suspended"
    applied(connected, state="active")
    assert coder.user("ann")["status"] != "suspended"
    connected.delete("CoderUser", "ann")
    connected.wait_until_gone("CoderUser", "ann")
    assert coder.user("ann")["status"] == "suspended"


def test_a_wrong_key_of_scim_concerns_nobody_else(connected: Namespace, coder: CoderAPI) -> None:
    use_scim(connected, "wrong-key-of-scim")
    connected.apply(user("ann", via="SCIM"))
    refused = connected.wait_for("CoderUser", "ann", "SCIMRefused")
    assert "wrong-key-of-scim" not in str(connected.get("CoderUser", "ann")) + refused["message"]
    applied(connected, "bob")
    assert connected.condition("CoderDeployment", "coder")["status"] == "True"
    use_scim(connected)
    connected.wait_for("CoderUser", "ann", "Applied")
    assert coder.user("ann")["email"] == "ann@example.com"


def test_the_quota_is_shown_when_asked_for(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("platform", quotaAllowance=7, members=members("ann@example.com")), user("ann"))
    wait_until(lambda: coder.find_group("platform") and coder.members("platform"), "ann is a member")
    assert "quota" not in connected.status("CoderUser", "ann")
    applied(connected, showQuota=True)
    assert connected.status("CoderUser", "ann")["quota"] == {"budget": 7, "consumed": 0}
