"""Whatever objects say, it is shown, and does nothing."""

from __future__ import annotations

from typing import Final

import httpx2
import pytest

from tests.support.page import Shown, condition

SCRIPT: Final = "<script>alert(1)</script>"
ATTRIBUTE: Final = '" onmouseover="alert(1)" x="'
OVERRIDE: Final = "\u202egnp.exe"
LONG: Final = "A" * 30_000
PAGES: Final = (
    "/",
    "/objects",
    "/objects?q={}",
    "/objects?kind={}",
    "/objects/codergroups/team/evil",
    "/objects/x/y/{}",
    "/journal",
    "/people?q={}",
    "/templates?q={}",
)


@pytest.fixture
def evil(shown: Shown) -> Shown:
    for text in (SCRIPT, ATTRIBUTE, OVERRIDE, LONG):
        conditions = [condition("Ready", "False", text[:900], text), condition("Stalled", "True"), condition(text[:99])]
        changes = [{"path": text, "from": text, "to": text}]
        status = {
            "id": text,
            "version": text,
            "circuit": text,
            "replicasHealthy": text,
            "replicas": [{"hostname": text, "error": text}],
            "health": {"status": text, "errors": [text]},
            "pendingChanges": changes,
            "url": text,
        }
        shown.deployment(f"d{abs(hash(text))}", status=status, conditions=conditions)
        spec = {"displayName": text, "members": {"users": [text]}, "managementPolicy": text}
        shown.put("CoderGroup", "evil", spec=spec, status=status, conditions=conditions)
        shown.put("CoderUser", f"u{abs(hash(text))}", spec=spec, status=status, conditions=conditions)
    shown.put("CoderDeployment", "script", spec={"url": "javascript:alert(1)", "tokenSecretRef": {"name": "t"}})
    return shown


@pytest.mark.usefixtures("evil")
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("text", [SCRIPT, ATTRIBUTE])
async def test_no_text_becomes_markup(page: httpx2.AsyncClient, path: str, text: str) -> None:
    answer = await page.get(path.format(httpx2.QueryParams({"": text})) if "{}" in path else path)
    assert answer.status_code in {200, 404}
    assert SCRIPT not in answer.text
    assert ATTRIBUTE not in answer.text
    assert 'href="javascript:' not in answer.text


@pytest.mark.usefixtures("evil")
async def test_a_text_without_end_is_cut(page: httpx2.AsyncClient) -> None:
    for path in ("/", "/objects", "/objects/codergroups/team/evil"):
        answer = await page.get(path)
        assert answer.status_code == 200
        assert "A" * 2001 not in answer.text
        assert len(answer.content) < 200_000


async def test_text_that_is_written_to_the_left_does_not_turn_what_is_around_it(
    shown: Shown, page: httpx2.AsyncClient
) -> None:
    shown.put("CoderGroup", "a", conditions=[condition(message=OVERRIDE)])
    for path in ("/objects", "/objects/codergroups/team/a"):
        text = (await page.get(path)).text
        assert f"<bdi>{OVERRIDE}</bdi>" in text


@pytest.mark.usefixtures("evil")
@pytest.mark.parametrize(
    "status",
    [
        {"conditions": None},
        {"conditions": [{"type": "Ready"}]},
        {"license": None, "replicas": None, "pendingChanges": None, "health": None},
        {"license": {"expiresAt": "soon"}, "managedObjects": {}},
        {"license": {"expiresAt": "9999-12-31T23:59:59Z"}},
        {"license": {"expiresAt": "0001-01-01T00:00:00Z"}},
        {"license": {"expiresAt": "9999-12-31T23:59:59-10:00"}},
        {"conditions": [condition(since="9999-12-31T23:59:59-10:00")]},
        {"conditions": [condition(since="1970-01-01T10:00:00+10:00")]},
    ],
)
async def test_a_status_that_says_less_than_ours_is_shown_too(
    shown: Shown, page: httpx2.AsyncClient, status: dict[str, object]
) -> None:
    shown.put("CoderDeployment", "odd", status=status)
    shown.put("CoderGroup", "odd", status=status)
    for path in ("/", "/objects", "/objects/coderdeployments/team/odd", "/objects/codergroups/team/odd"):
        assert (await page.get(path)).status_code == 200
