"""What somebody may not list is not there for them: on no page, in no number, and not when it changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.resource import Key
from tests.support.browser import Visitor, visiting
from tests.support.page import Shown
from tests.support.people import People
from tests.support.signed_in import give, served

OTHERS: Final = ("group-of-others", "acl-of-others", "coder-of-others", "licence-of-others", "mallory")
MINE: Final = ("group-of-mine", "acl-of-mine", "coder-of-mine")
PAGES: Final[dict[str, Callable[[str], str]]] = {
    "overview": lambda _: "/",
    "objects": lambda _: "/objects",
    "a search": lambda _: "/objects?q=ann@example.com",
    "objects of a deployment": lambda own: f"/objects?deployment={own}/coder-of-mine",
    "graph of a group": lambda own: f"/objects/codergroups/{own}/group-of-mine",
    "graph of a deployment": lambda own: f"/objects/coderdeployments/{own}/coder-of-mine",
    "journal": lambda _: "/journal",
    "people": lambda _: "/people?q=ann@example.com",
    "templates": lambda _: "/templates",
}

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def shown(people: People) -> Shown:
    """Objects of two namespaces, which refer to each other."""
    shown = Shown()
    own, foreign = people.own.name, people.foreign.name
    mine = {"deploymentRef": {"namespace": own, "name": "coder-of-mine"}}
    named = {"members": {"users": ["ann@example.com"]}}
    for namespace, whose in ((own, "mine"), (foreign, "others")):
        shown.deployment(f"coder-of-{whose}", namespace)
        shown.put("CoderGroup", f"group-of-{whose}", namespace, spec=mine | named)
        groups = [{"groupRef": {"namespace": own, "name": "group-of-mine"}, "role": "use"}]
        spec = mine | {"template": {"name": "docker"}, "groups": groups}
        shown.put("CoderTemplateACL", f"acl-of-{whose}", namespace, spec=spec)
        _write(shown, Key("CoderGroup", namespace, f"group-of-{whose}"), own)
    shown.put("CoderLicense", "licence-of-others", own, spec=mine)
    caused = Key("CoderTemplateACL", own, "acl-of-mine")
    _write(shown, caused, own, Key("CoderGroup", foreign, "group-of-others"))
    shown.journal.attribute(2, "mallory")
    return shown


def _write(shown: Shown, key: Key, own: str, because: Key | None = None) -> None:
    change = Change(Action.UPDATE, "spec.quotaAllowance", 5, 40)
    cause = Cause.CONSEQUENCE if because else Cause.DRIFT
    shown.journal.write(key, Key("CoderDeployment", own, "coder-of-mine"), cause, [change], because=because)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made_up(shown: Shown, people: People) -> AsyncIterator[str]:
    async with served(shown, people) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def judy(browser: Browser, made_up: str, people: People) -> AsyncIterator[Visitor]:
    """May list what is in one of the two namespaces, but for licences."""
    people.add("judy")
    people.allow("judy", "list", of=["codergroups", "coderdeployments", "codertemplateacls"])
    async with visiting(browser) as visitor:
        await visitor.page.goto(made_up)
        await give(visitor.page, people.token("judy"))
        yield visitor
        assert visitor.unexpected() == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def nobody(browser: Browser, made_up: str, people: People) -> AsyncIterator[Visitor]:
    """May list nothing anywhere."""
    async with visiting(browser) as visitor:
        await visitor.page.goto(made_up)
        await give(visitor.page, people.token("nobody"))
        yield visitor
        assert visitor.unexpected() == []


async def words_on(visitor: Visitor, url: str, words: tuple[str, ...]) -> list[str]:
    """Which of them are anywhere on that page, to be seen or not."""
    await visitor.page.goto(url)
    await expect(visitor.page.locator("#live")).to_have_text("live")
    text = await visitor.page.content()
    return [word for word in words if word in text]


@pytest.mark.parametrize("page", list(PAGES))
async def test_who_may_list_a_namespace_sees_nothing_of_another(
    judy: Visitor, made_up: str, people: People, page: str
) -> None:
    url = made_up + PAGES[page](people.own.name)
    assert await words_on(judy, url, (people.foreign.name, *OTHERS)) == []
    assert people.own.name in await judy.page.content()


@pytest.mark.parametrize("page", ["overview", "objects", "a search", "journal", "people", "templates"])
async def test_who_may_nothing_sees_nothing(nobody: Visitor, made_up: str, people: People, page: str) -> None:
    url = made_up + PAGES[page](people.own.name)
    assert await words_on(nobody, url, (people.foreign.name, *OTHERS, *MINE)) == []
    assert people.own.name not in await nobody.page.locator("main").inner_text()


async def test_who_may_nothing_is_told_what_it_takes(nobody: Visitor, made_up: str) -> None:
    for path in ("/", "/objects"):
        await nobody.page.goto(made_up + path)
        main = nobody.page.locator("main")
        await expect(main).to_contain_text("There is nothing that you may see")
        await expect(main).to_contain_text("You see the objects that you may list in Kubernetes")
        assert await nobody.violations() == []


async def test_numbers_are_of_what_may_be_listed(judy: Visitor, made_up: str) -> None:
    await judy.page.goto(made_up)
    await expect(judy.page.locator(".hero")).to_contain_text("3 objects in 1 namespace that you may see, 3 ready.")
    counted = await judy.page.locator("table.kinds tbody tr :is(th, td.num)").all_inner_texts()
    assert counted == ["CoderDeployment", "1", "CoderGroup", "1", "CoderTemplateACL", "1"]
    await judy.page.goto(f"{made_up}/objects")
    await expect(judy.page.locator(".heading")).to_have_text("Objects3")
    assert await judy.page.get_by_label("Namespace").locator("option").count() == 2


async def test_a_search_for_a_hidden_name_finds_as_much_as_one_for_no_name(judy: Visitor, made_up: str) -> None:
    said = []
    for name in ("group-of-others", "nothing-at-all"):
        await judy.page.goto(f"{made_up}/objects?q={name}")
        said.append((await judy.page.locator("main").inner_text()).replace(name, ""))
    assert said[0] == said[1]


async def test_a_hidden_object_is_answered_as_one_that_is_not_there(
    judy: Visitor, nobody: Visitor, made_up: str, people: People
) -> None:
    for visitor, namespace in ((judy, people.foreign.name), (nobody, people.own.name)):
        visitor.expected = ("404",)
        said = []
        for name in ("group-of-others", "group-of-mine", "nothing-at-all"):
            answer = await visitor.page.goto(f"{made_up}/objects/codergroups/{namespace}/{name}")
            assert answer
            assert answer.status == 404
            said.append(await visitor.page.locator("main").inner_text())
        assert said[0] == said[1] == said[2]


async def test_a_change_of_a_foreign_object_is_not_seen_and_one_of_an_own_is(
    judy: Visitor, made_up: str, shown: Shown, people: People
) -> None:
    page = judy.page
    await page.goto(f"{made_up}/objects?kind=CoderGroup")
    await expect(page.locator("#live")).to_have_text("live")
    number = await page.evaluate("document.body.dataset.seen")
    shown.put("CoderGroup", "late-of-others", people.foreign.name)
    await page.reload()
    assert await page.evaluate("document.body.dataset.seen") == number
    shown.put("CoderGroup", "later-of-others", people.foreign.name)
    shown.put("CoderGroup", "late-of-mine", people.own.name)
    await expect(page.locator("main")).to_contain_text("late-of-mine")
    assert "of-others" not in await page.content()
    shown.remove("CoderGroup", "late-of-mine", people.own.name)
    await expect(page.locator("td.name")).to_have_text(["group-of-mine"], use_inner_text=True)
