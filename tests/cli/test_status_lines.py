"""The lines of `coder-enterprise status`, of objects that are made up: what stands where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from coder_enterprise.cli.status_lines import SHOWN, chain_lines, overview_lines
from coder_enterprise.kinds.machinery.resource import Key, Names, Resource
from coder_enterprise.oncall.chain import Section
from coder_enterprise.oncall.happenings import Happening
from coder_enterprise.oncall.overview import overview
from coder_enterprise.oncall.standing import standing
from tests.support.command import condition
from tests.support.kubernetes import Body

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SINCE = "2026-01-01T11:57:00Z"
KINDS = (Names("CoderDeployment", "coderdeployments", "", ""), Names("CoderGroup", "codergroups", "", ""))


def resource(kind: str, name: str, *conditions: Body, **status: object) -> Resource:
    metadata = {"namespace": "team", "name": name, "uid": name, "resourceVersion": "1"}
    return Resource.from_body(kind, {"metadata": metadata, "status": {"conditions": list(conditions), **status}})


def plain(lines: Iterable[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


def test_a_cluster_is_one_screen() -> None:
    coder = resource(
        "CoderDeployment",
        "coder",
        condition("Ready", "True", "Connected", since=SINCE),
        version="v2.30.0",
        license={"daysLeft": 12},
        replicasHealthy="2/2",
        proxiesHealthy="1/1",
        provisionerDaemons=3,
        managedObjects={"total": 1, "ready": 0},
        circuit="Closed",
    )
    twin = resource("CoderGroup", "twin", condition("Ready", "False", "Conflict", "taken", since=SINCE))
    assert plain(overview_lines(overview([coder, twin], KINDS), NOW)) == [
        "DEPLOYMENT  READY  VERSION  LICENCE DAYS  REPLICAS  PROXIES  PROVISIONERS  OBJECTS READY  CIRCUIT",
        "team/coder  True   v2.30.0  12            2/2       1/1      3             0/1            Closed",
        "",
        "KIND             OBJECTS  READY  NOT READY  SUSPENDED",
        "CoderDeployment  1        1      0          0",
        "CoderGroup       1        0      1          0",
        "",
        "NOT READY                CONDITION  STATUS  REASON    SINCE  MESSAGE",
        "codergroup/twin -n team  Ready      False   Conflict  3m     taken",
        "",
        "REASON    WHAT TO DO",
        "Conflict  Delete one of the two.",
    ]


def test_a_cluster_without_a_deployment_says_so() -> None:
    assert plain(overview_lines(overview([], KINDS), NOW))[0] == "There is no CoderDeployment."


def test_of_many_objects_a_screenful_is_shown_and_the_others_are_counted() -> None:
    many = [resource("CoderGroup", f"g{n}", condition("Ready", "False", "ServerError")) for n in range(SHOWN + 7)]
    lines = plain(overview_lines(overview(many, KINDS), NOW))
    assert sum(line.startswith("codergroup/") for line in lines) == SHOWN
    assert any(line.startswith("… and 7 more: coder-enterprise get") for line in lines)


def test_each_section_of_a_chain_stands_for_itself() -> None:
    group = resource("CoderGroup", "platform", condition("Ready", "False", "NotEntitled", "no licence", since=SINCE))
    event = Happening(group.key, True, "NotEntitled", "no licence", NOW, 2)
    first = Section(
        group.key,
        facts=(("id in Coder", "1"),),
        conditions=(standing(group),),
        pending=("spec.name: a → b",),
        events=(event,),
    )
    second = Section(Key("Secret", "team", "coder-token"), trouble="is not there")
    lines = plain(chain_lines([first, second], NOW))
    assert lines == [
        "CoderGroup team/platform",
        "  id in Coder  1",
        "  CONDITION  STATUS  REASON       SINCE  MESSAGE",
        "  Ready      False   NotEntitled  3m     no licence",
        "  NOT APPLIED",
        "  spec.name: a → b",
        "  EVENT  TYPE     REASON       NOTE",
        "  0s     Warning  NotEntitled  no licence",
        "  What to do: Add a licence that has it, or leave out what needs it. The object continues by itself.",
        "",
        "Secret team/coder-token",
        "  is not there",
    ]
