"""Who somebody is and what they may use: what objects say of them, and what a real Coder answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx2
import pytest
import pytest_asyncio
from typing_extensions import override

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import CoderError
from coder_enterprise.client.http import Call, CallHooks, ConnectionSettings
from coder_enterprise.page import answers
from coder_enterprise.page.access import reviews
from coder_enterprise.wire.profiles import Profile
from tests.support.page import Shown, condition
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer

WAITS: Final = [condition(reason="PendingMembers", message="applied, waiting for users to appear: zoe@example.com")]
SCRIPT: Final = "<script>alert(1)</script>"


class Counting(CallHooks):
    """Which requests there were."""

    def __init__(self) -> None:
        self.operations: list[str] = []

    @override
    async def before(self, call: Call) -> None:
        self.operations.append(call.operation)

    @override
    async def after(self, call: Call, error: CoderError | None, seconds: float) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[CoderServer]:
    """Ann and Bob; Ann is in the group data, which may use the template docker."""
    with CoderServer(profile=Profile.CODERSDK) as process:
        coder = CoderAPI(process.url, process.token)
        ann = coder.create_user("ann")
        coder.create_user("bob")
        coder.set_roles(coder.create_user("olga")["id"], "template-admin")
        data = coder.create_group("data")
        coder.patch_group(data["id"], add_users=[ann["id"]])
        docker = coder.create_template("docker")["id"]
        coder.patch_acl(docker, group_perms={data["id"]: "use"}, user_perms={ann["id"]: "admin"})
        for number in range(answers.MAX_ACLS + 3):
            coder.create_template(f"other-{number}")
        coder.close()
        yield process
        print(process.log.read_text()[-4000:])


@pytest.fixture
def ids(server: CoderServer) -> dict[str, str]:
    coder = CoderAPI(server.url, server.token)
    found = {
        "data": coder.group("data")["id"],
        "docker": coder.template("docker")["id"],
        "ann": coder.user("ann")["id"],
    }
    coder.close()
    return found


@pytest.fixture
def requests() -> Counting:
    return Counting()


@pytest_asyncio.fixture
async def coder(
    shown: Shown, server: CoderServer, requests: Counting, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """The CoderDeployment is connected with that server."""
    async with CoderClient(ConnectionSettings(server.url, server.token), requests) as client:
        directory = Directory(client)
        monkeypatch.setattr(shown.view, "directory", lambda _: directory)
        yield


@pytest.fixture
def declared(shown: Shown, ids: dict[str, str]) -> Shown:
    shown.deployment()
    shown.put("CoderGroup", "data", spec={"members": {"users": ["ANN@example.com"]}}, status={"id": ids["data"]})
    users = [{"user": "ann", "role": "admin"}]
    shown.put("CoderTemplateACL", "docker", spec={"users": users}, status={"id": ids["docker"]})
    shown.put("CoderUser", "ann", spec={"email": "ann@example.com"}, status={"id": ids["ann"]})
    shown.put(
        "CoderGroup",
        "waiting",
        spec={"members": {"users": ["zoe@example.com"]}},
        status={"pendingMembers": ["zoe@example.com"]},
        conditions=WAITS,
    )
    return shown


def rows(text: str, section: str) -> list[str]:
    """The rows of that table, without their markup."""
    table = text.partition(f'id="{section}"')[2].partition("</section>")[0]
    found = re.findall(r"<tr data-row>(.*?)</tr>", table, re.DOTALL)
    apart = (re.sub(r"</td>|</span>", " ", row) for row in found)
    return [" ".join(re.sub(r"<title>.*?</title>|<[^>]*>", "", row).split()) for row in apart]


@pytest.mark.usefixtures("coder", "declared")
@pytest.mark.parametrize("name", ["ann", "ANN@example.com"])
async def test_a_person_is_told_with_groups_and_templates_and_through_what(page: httpx2.AsyncClient, name: str) -> None:
    text = (await page.get("/people", params={"q": name})).text
    assert "ann@example.com" in text
    assert "data coder CoderGroup team/data" in rows(text, "groups")
    grants = rows(text, "templates")
    assert "docker admin themselves CoderTemplateACL team/docker" in grants
    assert "docker use data CoderTemplateACL team/docker" in grants


@pytest.mark.usefixtures("coder", "declared")
async def test_all_objects_that_name_a_person_are_told_whatever_they_call_them(page: httpx2.AsyncClient) -> None:
    found = rows((await page.get("/people", params={"q": "ann"})).text, "named")
    assert {row.partition("team/")[2] for row in found} == {
        "data member spec.members.users",
        "docker admin spec.users",
        "ann itself spec.email spec.username",
    }


@pytest.mark.usefixtures("coder", "declared")
async def test_who_is_awaited_is_told_with_why(page: httpx2.AsyncClient) -> None:
    text = (await page.get("/people", params={"q": "zoe@example.com"})).text
    (row,) = rows(text, "named")
    assert row.startswith("Waits for them CoderGroup team/waiting member spec.members.users applied, waiting for users")
    assert "Coder has nobody who is called so yet" in text


@pytest.mark.usefixtures("coder", "declared")
async def test_who_may_be_meant_is_offered(page: httpx2.AsyncClient) -> None:
    text = (await page.get("/people", params={"q": "example.com"})).text
    offered = re.findall(r'<li data-row><a href="[^"]*"><bdi>([^<]*)</bdi>', text)
    assert {"ann@example.com", "bob@example.com", "zoe@example.com"} <= set(offered)


@pytest.mark.usefixtures("coder", "declared")
async def test_a_role_that_opens_all_templates_is_said(page: httpx2.AsyncClient) -> None:
    text = (await page.get("/people", params={"q": "olga"})).text
    assert 'All of them, by the role <span class="tag">template-admin</span>' in text


@pytest.mark.usefixtures("coder", "declared")
async def test_a_question_costs_few_requests_and_the_same_one_none(
    page: httpx2.AsyncClient, requests: Counting
) -> None:
    text = (await page.get("/people", params={"q": "ann"})).text
    assert requests.operations.count("users.search") == 1
    assert requests.operations.count("templateacls.get") == answers.MAX_ACLS
    assert len(requests.operations) <= answers.MAX_ACLS + 4
    assert "4 templates were not looked at" in text
    asked = len(requests.operations)
    for _ in range(5):
        await page.get("/people", params={"q": "ann"})
    assert len(requests.operations) == asked


@pytest.mark.usefixtures("coder", "declared")
async def test_a_template_is_told_with_who_may_use_it_and_where_that_is_declared(
    page: httpx2.AsyncClient, ids: dict[str, str]
) -> None:
    listed = (await page.get("/templates", params={"q": "dock"})).text
    assert rows(listed, "all") == ["docker coder CoderTemplateACL team/docker"]
    found = rows((await page.get("/templates", params={"id": ids["docker"]})).text, "who")
    assert "ann@example.com admin CoderUser team/ann" in found
    assert "group data use 1 CoderGroup team/data" in found
    assert any(row.startswith("every member of") for row in found)


@pytest.mark.usefixtures("coder", "declared")
async def test_without_the_right_only_objects_speak(
    page: httpx2.AsyncClient, ids: dict[str, str], requests: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def may(_: reviews.Viewer, verb: str, *__: Any) -> bool:
        return verb != "inspect"

    monkeypatch.setattr(reviews.Viewer, "may", may)
    text = (await page.get("/people", params={"q": "ann"})).text
    assert len(rows(text, "named")) == 3
    assert "kubectl auth can-i inspect coderdeployments/coder --namespace team" in text
    text = (await page.get("/templates", params={"id": ids["docker"]})).text
    assert "docker" not in text.partition("<main")[2]
    assert requests.operations == []


@pytest.mark.usefixtures("declared")
async def test_a_coder_that_is_not_connected_is_said(page: httpx2.AsyncClient) -> None:
    text = (await page.get("/people", params={"q": "ann"})).text
    assert "this replica does not work for that CoderDeployment" in text
    assert len(rows(text, "named")) == 3


@pytest.mark.usefixtures("coder", "declared")
@pytest.mark.parametrize("text", [SCRIPT, '"', "role:owner", "a:b:c", "%00", "\u202e", "x" * 5000, "   ", "'"])
async def test_whatever_is_asked_is_answered(page: httpx2.AsyncClient, text: str) -> None:
    for path in ("/people", "/templates"):
        answer = await page.get(path, params={"q": text})
        assert answer.status_code == 200
        assert SCRIPT not in answer.text
        assert "did not say" not in answer.text


@pytest.mark.usefixtures("coder", "declared")
async def test_a_template_that_coder_does_not_list_is_not_asked_for(
    page: httpx2.AsyncClient, requests: Counting
) -> None:
    answer = await page.get("/templates", params={"id": "../../users"})
    assert answer.status_code == 200
    assert "templates.get" not in requests.operations
