"""What follows in Coder from what the operator itself did there is told as that, and never as somebody's drift."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from coder_enterprise.wire.profiles import Profile
from tests.support.journal import causes, journal
from tests.support.manifests import deployment, group, members, roles, secret, template_acl, user
from tests.support.operated import Operated
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

ACL: Final = "CoderTemplateACL"
GROUP: Final = "CoderGroup"
USER: Final = "CoderUser"


@pytest.fixture(scope="module", params=list(Profile))
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    with CoderServer(profile=request.param) as process:
        yield process
        print(process.log.read_text()[-4000:])


@pytest.fixture(scope="module")
def coder(server: CoderServer) -> Iterator[CoderAPI]:
    api = CoderAPI(server.url, server.token)
    api.create_template("docker")
    yield api
    api.close()


def only_follows(operator: OperatorProcess, name: str, *others: str) -> bool:
    """Whether what was done for objects of that name, once they were made, followed from `others` alone."""
    entries = [line for line in journal(operator, name) if line["cause"] not in {"creation", "edit", "deletion"}]
    found = {(line["cause"], line.get("because", "").partition(" ")[0]) for line in entries}
    return found <= {("consequence", other) for other in others}


def test_a_group_that_is_deleted_is_no_drift_of_the_acl_that_refers_to_it(here: Operated, coder: CoderAPI) -> None:
    coder.create_template("reference")
    acl = template_acl("reference", groups=[{"groupRef": {"name": "data"}, "role": "use"}])
    here.settle(group("data"), acl)
    here.remove(GROUP, "data")
    here.space.wait_for(ACL, "reference", "WaitingForGroup")
    wait_until(lambda: "appliedGroups" not in here.space.status(ACL, "reference"), "nothing of the group is recorded")
    here.visit(ACL, "reference")
    assert only_follows(here.operator, "reference", GROUP)


def test_who_is_taken_from_an_acl_is_named_though_gone(here: Operated, coder: CoderAPI) -> None:
    coder.create_template("names")
    acl = template_acl("names", groups=[{"groupRef": {"name": "staff"}, "role": "use"}])
    here.settle(group("staff"), acl)
    here.remove(GROUP, "staff")
    here.space.wait_for(ACL, "names", "WaitingForGroup")
    taken = [
        change["path"] for line in journal(here.operator, "names") for change in line["changes"] if "to" not in change
    ]
    assert set(taken) <= {"spec.groups[staff]"}


def test_a_group_that_is_deleted_is_no_drift_of_the_acl_that_names_it(here: Operated, coder: CoderAPI) -> None:
    coder.create_template("named")
    here.settle(group("writers"))
    here.settle(template_acl("named", groups=[{"name": "writers", "role": "use"}]))
    here.remove(GROUP, "writers")
    here.visit(ACL, "named")
    assert only_follows(here.operator, "named", GROUP)


def test_a_group_that_is_renamed_is_no_drift_of_the_acl_that_names_it(here: Operated, coder: CoderAPI) -> None:
    coder.create_template("renamed")
    here.settle(group("old"))
    here.settle(template_acl("renamed", groups=[{"name": "old", "role": "use"}]))
    here.settle(group("old", name="other"))
    here.visit(ACL, "renamed")
    assert causes(here.operator, "renamed") == ["creation", "consequence"]
    assert only_follows(here.operator, "renamed", GROUP)


def test_a_user_who_is_deleted_is_no_drift_of_those_who_name_them(here: Operated, coder: CoderAPI) -> None:
    coder.create_template("leaver")
    here.settle(user("ann", onDelete="Delete"))
    here.settle(template_acl("leaver", users=roles(ann="use")), group("leavers", members=members("ann")))
    here.remove(USER, "ann")
    here.visit(ACL, "leaver")
    here.visit(GROUP, "leavers")
    assert only_follows(here.operator, "leaver", USER)
    assert only_follows(here.operator, "leavers", USER)


def test_a_user_who_is_renamed_is_no_drift_of_the_group_that_names_them(here: Operated) -> None:
    here.settle(user("bob"))
    here.settle(group("bobs", members=members("bob")))
    here.settle(user("bob", username="robert"))
    here.visit(GROUP, "bobs")
    assert causes(here.operator, "bobs") == ["creation", "consequence"]
    assert only_follows(here.operator, "bobs", USER)


def test_a_user_who_is_made_anew_is_no_drift_of_the_group_that_names_them(here: Operated) -> None:
    here.settle(user("eve", onDelete="Delete"))
    here.settle(group("eves", members=members("eve")))
    here.remove(USER, "eve")
    here.settle(user("eve", onDelete="Delete"))
    here.visit(GROUP, "eves")
    wait_until(lambda: here.space.status(GROUP, "eves")["memberCount"] == 1, "eve is back")
    assert "drift" not in causes(here.operator, "eves")


def test_a_user_who_is_suspended_is_no_drift_of_those_who_name_them(here: Operated, coder: CoderAPI) -> None:
    coder.create_template("pause")
    here.settle(user("pat"))
    here.settle(group("pats", members=members("pat")), template_acl("pause", users=roles(pat="use")))
    here.settle(user("pat", state="suspended"))
    for kind, name in ((GROUP, "pats"), (ACL, "pause")):
        here.visit(kind, name)
        assert only_follows(here.operator, name, USER)


def test_what_somebody_changes_after_it_is_drift_all_the_same(here: Operated, coder: CoderAPI) -> None:
    here.settle(user("kim"))
    here.settle(group("kims", members=members("kim")))
    here.settle(user("kim", name="Kim Doe"))
    coder.patch_group(coder.group("kims")["id"], remove_users=[coder.user("kim")["id"]])
    here.visit(GROUP, "kims")
    assert causes(here.operator, "kims") == ["creation", "drift"]


def test_what_somebody_changes_again_after_a_consequence_is_drift(here: Operated, coder: CoderAPI) -> None:
    here.settle(user("lea"))
    here.settle(group("leas", members=members("lea")))
    here.settle(user("lea", username="leah"))
    here.visit(GROUP, "leas")
    coder.patch_group(coder.group("leas")["id"], add_users=[coder.user("leah")["id"]])
    here.visit(GROUP, "leas")
    assert causes(here.operator, "leas") == ["creation", "consequence", "drift"]


def test_another_coder_at_the_address_of_a_deployment_is_no_drift(here: Operated, server: CoderServer) -> None:
    here.settle(group("moved"))
    with CoderServer(profile=Profile.CODERSDK) as other:
        here.space.apply(secret("moved-token", token=other.token))
        here.space.apply(deployment(other.url, tokenSecretRef={"name": "moved-token"}))
        here.space.wait_for("CoderDeployment", "coder", "Connected")
        here.visit(GROUP, "moved")
        here.space.apply(deployment(server.url, tokenSecretRef={"name": "coder-token"}))
        here.space.wait_for("CoderDeployment", "coder", "Connected")
    here.visit(GROUP, "moved")
    assert causes(here.operator, "moved").count("consequence") >= 1
    assert only_follows(here.operator, "moved", "CoderDeployment")
