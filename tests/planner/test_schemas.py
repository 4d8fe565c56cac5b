"""What the API server would refuse is refused without one, by the same field or rule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.planner.schemas import problems
from tests.support.invalid import INVALID
from tests.support.manifests import Body, group, proxy, user, workload
from tests.support.structural import instances

BY_NAME: dict[str, Any] = {kind.names.kind: kind for kind in KINDS}
EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"


def said(body: Body) -> str:
    return "\n".join(map(str, problems(BY_NAME[body["kind"]], body)))


@pytest.mark.parametrize(("body", "message"), INVALID.values(), ids=INVALID)
def test_what_the_api_server_refuses_is_refused_by_name_of_the_field(body: Body, message: str) -> None:
    # Of an unknown time zone and of a broken choice, each says what it knows.
    wanted = {"Mars/Olympus": "IANA name", "kinds": r"spec\.allow"}.get(message, message)
    assert re.search(wanted, said(body))


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_accepted(path: Path) -> None:
    for body in yaml.safe_load_all(path.read_text()):
        if body and body["kind"] in BY_NAME:
            assert said(body) == ""


@pytest.mark.parametrize(
    "body",
    [
        user("ann", quietHours={"schedule": "CRON_TZ=Europe/Berlin 30 2 * * *"}),
        user("with.dots", username="ann"),
        proxy("eu", workload=workload(resources={"limits": {"cpu": 2, "memory": "1.5Gi"}})),
        group("idp", name="corp/platform", adoptionPolicy="Adopt"),
        group("nulls", displayName=None, members=None),
    ],
    ids=lambda body: body["metadata"]["name"],
)
def test_what_the_api_server_accepts_is_accepted(body: Body) -> None:
    assert said(body) == ""


def test_an_unknown_field_is_named_with_the_known_ones() -> None:
    text = said(group("misspelt", displayname="Platform"))
    assert text.startswith("spec.displayname: unknown field; known are ")
    assert "displayName" in text


def test_a_number_is_not_read_from_text() -> None:
    assert "spec.quotaAllowance" in said(group("platform", quotaAllowance="5"))


def test_no_more_is_told_than_a_person_reads() -> None:
    assert len(problems(BY_NAME["CoderGroup"], group("platform", **{f"x{n}": 1 for n in range(100)}))) == 20


@pytest.mark.parametrize("spec", [None, [], "text"], ids=["none", "a list", "text"])
def test_a_spec_that_is_none_is_said_to_be_one(spec: Any) -> None:
    assert said({**group("platform"), "spec": spec}).startswith("spec: ")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names.kind)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_the_schema_lets_through_is_judged(kind: Any, data: st.DataObject) -> None:
    schema = kind.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec = data.draw(instances(schema))
    for problem in problems(kind, {"metadata": {"name": "x"}, "spec": spec}):
        assert problem.message
