"""What waits for what, as it is drawn."""

from __future__ import annotations

import pytest

from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.page import graph
from coder_enterprise.page.graph import Graph, Node
from coder_enterprise.page.rows import Rows
from coder_enterprise.page.sight import Sight
from tests.support.page import Shown, condition

EVERYTHING = dict.fromkeys(("CoderDeployment", "CoderGroup", "CoderTemplateACL"))


def group(name: str) -> dict[str, object]:
    return {"groupRef": {"name": name}, "role": "use"}


@pytest.fixture
def some(shown: Shown) -> Shown:
    shown.deployment()
    shown.put("CoderGroup", "there", conditions=[condition("Ready", "False", "WaitingForDeployment")])
    spec = {"template": {"name": "python"}, "groups": [group("there"), group("missing")]}
    shown.put("CoderTemplateACL", "python", spec=spec)
    return shown


def drawn(shown: Shown, kind: str, name: str, **hidden: frozenset[str]) -> Graph:
    resource = shown.view.get(Key(kind, "team", name))
    assert isinstance(resource, Resource)
    return graph.draw(shown.view, Sight({**EVERYTHING, **hidden}), Rows(shown.view).table().tally, resource)


def node(found: Graph, name: str) -> Node:
    (one,) = (each for each in found.nodes if each.name == name)
    return one


async def test_what_is_needed_is_on_the_left_as_far_as_coder_itself(some: Shown) -> None:
    found = drawn(some, "CoderTemplateACL", "python")
    order = ["coder.example.com", "team/coder", "team/there", "team/python"]
    places = [node(found, name).x for name in order]
    assert places == sorted(set(places))
    assert node(found, "team/python").main
    assert all(line.start[0] < line.end[0] for line in found.lines)


async def test_who_needs_it_is_on_the_right(some: Shown) -> None:
    found = drawn(some, "CoderGroup", "there")
    assert node(found, "team/python").x > node(found, "team/there").x


async def test_a_box_says_how_its_object_stands(some: Shown) -> None:
    found = drawn(some, "CoderTemplateACL", "python")
    assert [node(found, name).state for name in ("team/coder", "team/there", "team/missing", "token")] == [
        "ready",
        "waiting",
        "missing",
        "",
    ]


async def test_of_a_deployment_the_objects_are_counted_by_kind(some: Shown) -> None:
    found = drawn(some, "CoderDeployment", "coder")
    assert node(found, "0 of 1 ready").title == "CoderGroup"
    assert node(found, "1 of 1 ready").title == "CoderTemplateACL"


async def test_how_an_object_stands_that_one_may_not_see_is_hidden(some: Shown) -> None:
    found = drawn(some, "CoderTemplateACL", "python", CoderGroup=frozenset())
    assert {node(found, name).state for name in ("team/there", "team/missing")} == {""}
    assert node(found, "team/there").key is None


async def test_who_needs_it_and_may_not_be_seen_is_left_out(some: Shown) -> None:
    found = drawn(some, "CoderGroup", "there", CoderTemplateACL=frozenset({"other"}))
    assert "team/python" not in {each.name for each in found.nodes}


async def test_a_hundred_who_need_it_are_counted(some: Shown) -> None:
    for number in range(100):
        some.put("CoderTemplateACL", f"a{number:03}", spec={"template": {"name": "x"}, "groups": [group("there")]})
    found = drawn(some, "CoderGroup", "there")
    assert "93 more" in {each.title for each in found.nodes}
    assert len(found.nodes) < 20
