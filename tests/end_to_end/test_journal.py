"""The journal of an operator on a real control plane: what it changed in Coder, and why."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Final

import pytest

from coder_enterprise.wire.profiles import Profile
from tests.support.journal import causes, journal
from tests.support.manifests import group, members, proxy, user
from tests.support.operated import Operated
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer

GROUP: Final = "CoderGroup"


@pytest.fixture(scope="module")
def server() -> Iterator[CoderServer]:
    with CoderServer(profile=Profile.CODERSDK) as process:
        yield process
        print(process.log.read_text()[-4000:])


@pytest.fixture(scope="module")
def coder(server: CoderServer) -> Iterator[CoderAPI]:
    with contextlib.closing(CoderAPI(server.url, server.token)) as api:
        yield api


@pytest.fixture(scope="module")
def mallory(server: CoderServer, coder: CoderAPI) -> Iterator[CoderAPI]:
    """Somebody who may change everything, and whose token the operator does not have."""
    coder.set_roles(coder.create_user("mallory")["id"], "owner")
    with contextlib.closing(CoderAPI(server.url, coder.create_token("mallory"))) as api:
        yield api


def culprits(here: Operated, name: str) -> list[str]:
    lines = (json.loads(line) for line in here.operator.text().splitlines() if '"drift was made by"' in line)
    return [line["who"] for line in lines if line["object"].endswith(f"/{name}")]


def requests(here: Operated) -> float:
    """How often Coder's audit log was read."""
    counted = [line for line in here.operator.metrics().splitlines() if 'operation="audit.list"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in counted if "requests_total" in line)


def test_an_edit_is_one_entry_that_tells_from_what_to_what(here: Operated) -> None:
    here.settle(group("edited", displayName="One"))
    here.settle(group("edited", displayName="Two"))
    created, edited = journal(here.operator, "edited")
    assert (created["cause"], created["changes"]) == ("creation", [{"path": "spec", "from": None, "to": "edited"}])
    assert (edited["cause"], edited["changes"]) == (
        "edit",
        [{"path": "spec.displayName", "from": "One", "to": "Two"}],
    )
    assert edited["deployment"] == f"{here.space.name}/coder"


def test_drift_names_who_made_it(here: Operated, mallory: CoderAPI) -> None:
    here.settle(group("drifting", displayName="One"))
    mallory.patch_group(mallory.group("drifting")["id"], display_name="Mine")
    here.visit(GROUP, "drifting")
    assert causes(here.operator, "drifting") == ["creation", "drift"]
    wait_until(lambda: culprits(here, "drifting") == ["mallory"], "the audit log says who it was")


def test_drift_of_many_at_once_is_one_question(here: Operated, mallory: CoderAPI) -> None:
    names = [f"many-{number}" for number in range(30)]
    here.settle(*(group(name, displayName="One") for name in names))
    before = requests(here)
    for name in names:
        mallory.patch_group(mallory.group(name)["id"], display_name="Mine")
    for name in names:
        here.visit(GROUP, name)
    wait_until(lambda: all(culprits(here, name) == ["mallory"] for name in names), "all are attributed", 60)
    assert requests(here) - before <= 3


def test_whoever_was_waited_for_is_an_arrival(here: Operated, coder: CoderAPI) -> None:
    here.settle(group("awaiting", members=members("nora")), reason="PendingMembers")
    here.settle(user("nora"))
    here.space.wait_for(GROUP, "awaiting", "Applied")
    created, came = journal(here.operator, "awaiting")
    assert (created["cause"], came["cause"]) == ("creation", "arrival")
    assert came["because"] == f"CoderUser {here.space.name}/nora"
    assert came["changes"] == [{"path": "spec.members.users", "from": None, "to": "nora@example.com"}]


def test_a_new_token_is_a_rotation_and_no_token_is_in_the_log(here: Operated) -> None:
    here.space.apply(proxy("europe"))
    here.space.wait_for("CoderWorkspaceProxy", "europe", "NotRegistered")
    first = here.space.secret("europe-token")
    here.space.annotate("CoderWorkspaceProxy", "europe", rotate_token_at="now")
    wait_until(lambda: "rotation" in causes(here.operator, "europe"), "it is rotated")
    values = [*first.values(), *here.space.secret("europe-token").values()]
    tokens = {value for value in values if not value.startswith("http")}
    assert tokens
    assert not any(token in here.operator.text() for token in tokens)


def test_what_is_deleted_is_an_entry(here: Operated) -> None:
    here.settle(group("gone"))
    here.remove(GROUP, "gone")
    assert causes(here.operator, "gone") == ["creation", "deletion"]


def test_at_rest_and_after_a_restart_nothing_is_written(here: Operated) -> None:
    here.settle(group("still", displayName="One"), user("sam"), group("sams", members=members("sam")))
    here.operator.stop()
    before = here.operator.text().count("changed in Coder")
    here.operator.start()
    for name in ("still", "sams"):
        here.visit(GROUP, name)
    assert here.operator.text().count("changed in Coder") == before
