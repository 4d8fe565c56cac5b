"""What Coder says of people and templates may be anything, and so may be what objects say: a page tells of it in a
sentence, and never fails."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.page import inquiries
from coder_enterprise.page.jobs import ask
from tests.support.page import Served, Shown
from tests.support.scripted import Scripted, scripted

ORGANIZATION: Final = "11111111-1111-4111-8111-111111111111"
ANN: Final = "22222222-2222-4222-8222-222222222222"
DATA: Final = "33333333-3333-4333-8333-333333333333"
DOCKER: Final = "44444444-4444-4444-8444-444444444444"
_USER: Final = {
    "id": ANN,
    "username": "ann",
    "email": "ann@example.com",
    "name": "Ann",
    "status": "active",
    "login_type": "password",
    "organization_ids": [ORGANIZATION],
    "roles": [{"name": "auditor", "display_name": "Auditor", "organization_id": ""}],
}
_GROUP: Final = {"id": DATA, "name": "data", "organization_id": ORGANIZATION, "quota_allowance": 0, "source": "user"}
_TEMPLATE: Final = {"id": DOCKER, "name": "docker", "organization_id": ORGANIZATION}
ANSWERS: Final[dict[str, Any]] = {
    "/users": {"users": [_USER], "count": 1},
    "/organizations": [{"id": ORGANIZATION, "name": "coder", "is_default": True}],
    f"/organizations/{ORGANIZATION}/groups": [_GROUP | {"members": [_USER]}],
    f"/organizations/{ORGANIZATION}/templates": [_TEMPLATE],
    f"/organizations/{ORGANIZATION}/provisionerjobs": [
        {"id": DATA, "created_at": "2026-01-02T03:04:05Z", "status": "pending", "available_workers": [ANN]}
    ],
    f"/templates/{DOCKER}": _TEMPLATE,
    f"/templates/{DOCKER}/acl": {"users": [_USER | {"role": "admin"}], "group": [_GROUP | {"role": "use"}]},
}
"""As Coder gives them."""
PAGES: Final = ("/people?q=ann", f"/templates?id={DOCKER}", "/templates?q=dock")
SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(["", "\ud800", "a\x00b", "<script>", ANN, 10**400, "1e400"]),
)
ODD: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All there are in a document, by the keys that lead to them."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from places(each, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """That document with something else in some place, or with nothing there."""
    found = copy.deepcopy(document)
    *way, last = draw(st.sampled_from([path for path in places(document) if path]))
    inner: Any = found
    for key in way:
        inner = inner[key]
    if way and isinstance(inner, dict) and draw(st.booleans()):
        del inner[last]
    else:
        inner[last] = draw(ODD)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def coder() -> AsyncIterator[Scripted]:
    async with scripted() as running:
        yield running


@pytest.fixture(scope="module")
def shown() -> Shown:
    found = Shown()
    found.deployment()
    found.put("CoderGroup", "whole", spec={"members": {"users": ["ann"]}})
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(shown: Shown, coder: Scripted) -> AsyncIterator[httpx2.AsyncClient]:
    """Of a CoderDeployment whose lists are read anew with each question."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inquiries, "HOLDS", 0.0)
        patch.setattr(inquiries, "AT_ONCE", 100_000)
        async with CoderClient(coder.settings) as client:
            patch.setattr(shown.view, "directory", lambda _: Directory(client))
            async with Served(shown) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as sent:
                yield sent


@pytest.mark.asyncio(loop_scope="module")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=spoilt(ANSWERS))
async def test_an_odd_answer_of_coder_becomes_a_sentence(
    coder: Scripted, page: httpx2.AsyncClient, answers: dict[str, Any]
) -> None:
    for path, body in answers.items():
        coder.answer(path, body)
    for address in PAGES:
        answer = await page.get(address)
        assert answer.status_code == 200, (address, answer.text)
    async with CoderClient(coder.settings) as client:
        await ask(Directory(client))


SPECS: Final[dict[str, Any]] = {
    "CoderGroup": {"name": "data", "members": {"users": ["ann", "bob@example.com"]}},
    "CoderTemplateACL": {"template": {"name": "docker"}, "users": [{"user": "ann", "role": "use"}]},
    "CoderUser": {"email": "ann@example.com", "username": "ann", "deploymentRef": {"name": "coder"}},
}
STATUS: Final[dict[str, Any]] = {"id": ANN, "pendingMembers": ["ann"], "pendingUsers": ["ann"]}


@pytest.mark.asyncio(loop_scope="module")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(specs=spoilt(SPECS), status=spoilt(STATUS))
async def test_an_odd_object_does_not_take_the_page_of_people_from_the_others(
    shown: Shown, page: httpx2.AsyncClient, specs: dict[str, Any], status: dict[str, Any]
) -> None:
    for kind, spec in specs.items():
        shown.put(kind, "odd", spec=spec, status=status)
    answer = await page.get("/people?q=ann")
    assert answer.status_code == 200, answer.text
    assert "team/whole" in re.sub("<[^>]*>", "", answer.text)
