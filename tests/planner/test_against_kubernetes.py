"""The verdicts here and those of a real API server agree, over specs that nobody has thought of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.planner.schemas import problems
from tests.support.invalid import INVALID
from tests.support.kubernetes import Namespace, administrator
from tests.support.manifests import API_VERSION, Body
from tests.support.structural import instances

BY_NAME: dict[str, Any] = {kind.names.kind: kind for kind in KINDS}
JUNK = st.sampled_from([None, "", "x", "x" * 3000, 0, -1, 2**40, 1.5, True, [], {}, ["x", "x"], {"x": "x"}])


@pytest.fixture
def judge(namespace: Namespace) -> Iterator[Any]:
    """What the API server says of a new object; "" when it would take it."""
    with administrator(namespace.plane) as http:

        def said(body: Body) -> str:
            plural = BY_NAME[body["kind"]].names.plural
            answer = http.post(
                f"/apis/{API_VERSION}/namespaces/{namespace.name}/{plural}",
                params={"dryRun": "All", "fieldValidation": "Strict"},
                json=body,
            )
            if answer.status_code == httpx2.codes.CREATED:
                return ""
            assert answer.status_code in (400, 422), answer.text
            return str(answer.json()["message"])

        yield said


@pytest.mark.parametrize("body", [body for body, _ in INVALID.values()], ids=list(INVALID))
def test_both_refuse_bad_yaml(judge: Any, body: Body) -> None:
    assert judge(body)
    assert problems(BY_NAME[body["kind"]], body)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names.kind)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
@given(data=st.data())
def test_both_judge_generated_specs_alike(judge: Any, kind: Any, data: st.DataObject) -> None:
    schema = kind.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec = data.draw(instances(schema))
    if data.draw(st.booleans()):
        _spoil(spec, data)
    body = {"apiVersion": API_VERSION, "kind": kind.names.kind, "metadata": {"name": "x"}, "spec": spec}
    theirs, ours = judge(body), "\n".join(map(str, problems(kind, body)))
    note(f"the API server: {theirs or 'accepted'}\nhere: {ours or 'accepted'}")
    assert bool(ours) == bool(theirs)


def _spoil(value: Any, data: st.DataObject) -> None:
    """Puts something in the place of a part."""
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        for key in part if isinstance(part, dict) else range(len(part)):
            places.append((part, key))
            if isinstance(part[key], dict | list):
                walk(part[key])

    walk(value)
    if places:
        part, key = data.draw(st.sampled_from(places))
        part[key] = data.draw(JUNK)
