"""The roles that the chart and kustomize bring for people, on a real API server: what each lets the page show."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.support.kubernetes import Body
from tests.support.page import Shown
from tests.support.people import Browser, People

MANIFEST: Final = Path(__file__).parents[3] / "deploy" / "overlays" / "page" / "rbac.yaml"
REFUSED: Final = "kubectl auth can-i inspect coderdeployments/coder"


def role(name: str) -> Body:
    """Of the overlay; a test compares that with the chart."""
    found = (body for body in yaml.safe_load_all(MANIFEST.read_text()) if body["kind"] == "ClusterRole")
    return next(body for body in found if body["metadata"]["name"] == f"coder-enterprise-operator-page-{name}")


@pytest.mark.parametrize(("name", "may_inspect"), [("viewer", False), ("inspector", True)])
async def test_who_has_a_role_in_a_namespace_sees_that_alone_and_with_inspect_what_coder_says(
    shown: Shown, browser: Browser, people: People, name: str, may_inspect: bool
) -> None:
    shown.deployment("coder", people.own.name)
    shown.deployment("theirs", people.foreign.name)
    people.add(name)
    people.grant(name, role(name))
    bearer = f"Bearer {people.token(name)}"
    listed = (await browser.get("/objects", Authorization=bearer)).text
    for seen in ("group-of-mine", "licence-of-others"):
        assert seen in listed, seen
    for foreign in ("group-of-others", people.foreign.name):
        assert foreign not in listed, foreign
    for path in ("/people?q=ann", "/templates"):
        text = (await browser.get(path, Authorization=bearer)).text
        assert (REFUSED not in text) == may_inspect
        assert ("this replica does not work for that CoderDeployment" in text) == may_inspect, "Coder was asked"
        assert "theirs" not in text
    text = (await browser.get(f"/objects/codergroups/{people.own.name}/platform", Authorization=bearer)).text
    assert "They cannot be shown" not in text, "events may be listed"
