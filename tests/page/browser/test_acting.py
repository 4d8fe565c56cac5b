"""Buttons of a real operator's page, and what Kubernetes has of it: with rights, without, and when they were lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from coder_enterprise.kinds.machinery.resource import RECONCILE_REQUESTED_AT
from tests.support.browser import Visitor, visiting
from tests.support.kubernetes import Body
from tests.support.manifests import group
from tests.support.people import People
from tests.support.signed_in import give
from tests.support.waiting import wait_until
from tools.operator_process import OperatorProcess

_numbers: Final = itertools.count(1)

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def made_up(people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the page of a real operator for their namespace; there is no Coder, and its objects wait for one."""
    options = ("--namespace", people.own.name, "--lease-namespace", people.own.name)
    log = tmp_path_factory.mktemp("acting") / "operator.log"
    acting = ("--page-mode", "kubernetes", "--page-actions")
    with OperatorProcess(people.own.plane.kubeconfig, log, *options, *acting) as operator:
        yield operator.page
        print(operator.text()[-8000:])


@pytest.fixture
def name(made_up: str, people: People) -> str:
    """Of a group that this test alone acts on, and that the operator has seen."""
    name = f"acted-on-{next(_numbers)}"
    people.own.apply(group(name))
    people.own.wait_for("CoderGroup", name, "WaitingForDeployment")
    return name


@pytest.fixture
def url(made_up: str, people: People, name: str) -> str:
    return f"{made_up}/objects/codergroups/{people.own.name}/{name}"


@pytest_asyncio.fixture(loop_scope="session")
async def alice(visitor: Visitor, url: str, people: People) -> Page:
    """Who may change groups there, and looks at this one."""
    await visitor.page.goto(url)
    await give(visitor.page, people.token("alice"))
    await expect(visitor.page).to_have_url(url)
    return visitor.page


def body(people: People, name: str) -> Body:
    return people.own.get("CoderGroup", name)


async def test_a_click_has_an_object_reconciled(alice: Page, url: str, people: People, name: str) -> None:
    await alice.get_by_role("button", name="Reconcile now").click()
    await expect(alice).to_have_url(url)
    asked = body(people, name)["metadata"]["annotations"][RECONCILE_REQUESTED_AT]
    wait_until(lambda: people.own.status("CoderGroup", name).get("lastHandledReconcileAt") == asked, "it is visited")


@pytest.mark.parametrize("scripts", [True, False], ids=["with script", "without script"])
async def test_an_object_is_suspended_with_an_end_and_resumed(
    browser: Browser, url: str, people: People, name: str, scripts: bool
) -> None:
    async with visiting(browser, java_script_enabled=scripts) as visitor:
        page = visitor.page
        await page.goto(url)
        await give(page, people.token("alice"))
        await page.get_by_label("Suspend for").select_option("4 hours")
        await page.get_by_role("button", name="Suspend").click()
        await expect(page.get_by_role("button", name="Resume")).to_be_visible()
        await expect(page).to_have_url(url)
        until = datetime.fromisoformat(body(people, name)["spec"]["suspendUntil"])
        assert timedelta(hours=3) < until - datetime.now(UTC) <= timedelta(hours=4)
        await page.get_by_role("button", name="Resume").click()
        await expect(page.get_by_role("button", name="Suspend")).to_be_visible()
        assert "suspendUntil" not in body(people, name)["spec"]
        assert visitor.complaints == []


async def test_what_somebody_does_in_another_window_is_seen_without_loading_again(alice: Page, url: str) -> None:
    await expect(alice.locator("#live")).to_have_text("live")
    other = await alice.context.new_page()
    await other.goto(url)
    await other.get_by_role("button", name="Suspend").click()
    await expect(alice.get_by_role("button", name="Resume")).to_be_visible()


async def test_who_may_only_look_is_offered_nothing(visitor: Visitor, url: str, people: People) -> None:
    people.add("mona")
    people.allow("mona", "get", "list")
    await visitor.page.goto(url)
    await give(visitor.page, people.token("mona"))
    await expect(visitor.page.get_by_role("heading", name="Conditions")).to_be_visible()
    assert await visitor.page.locator("main form").count() == 0


async def test_who_has_lost_the_right_meanwhile_is_told_so_and_nothing_is_done(
    visitor: Visitor, url: str, people: People, name: str
) -> None:
    visitor.expected = ("403",)
    people.add("nora")
    people.allow("nora", "get", "list", "patch")
    await visitor.page.goto(url)
    await give(visitor.page, people.token("nora"))
    await expect(visitor.page.get_by_role("button", name="Suspend")).to_be_visible()
    people.allow("nora", "get", "list")
    before = body(people, name)
    await visitor.page.get_by_role("button", name="Suspend").click()
    await expect(visitor.page.locator("h1")).to_have_text("Kubernetes does not let you do that")
    await expect(visitor.page.locator("main")).to_contain_text(f'User "{people.user("nora")}" cannot patch')
    assert body(people, name) == before
    await visitor.page.get_by_role("link", name="Back to the object").click()
    await expect(visitor.page).to_have_url(url)


async def test_who_clicks_when_their_session_is_over_signs_in_and_is_where_they_were(
    browser: Browser, url: str, people: People, name: str
) -> None:
    async with visiting(browser, java_script_enabled=False) as visitor:
        page = visitor.page
        await page.goto(url)
        await give(page, people.token("alice"))
        other = await visitor.context.new_page()
        await other.goto(url)
        await other.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Reconcile now").click()
        await expect(page.get_by_role("alert")).to_contain_text("nothing was done")
        assert RECONCILE_REQUESTED_AT not in body(people, name)["metadata"].get("annotations", {})
        await give(page, people.token("alice"))
        await expect(page).to_have_url(url)
        await page.get_by_role("button", name="Reconcile now").click()
        await expect(page).to_have_url(url)
        assert RECONCILE_REQUESTED_AT in body(people, name)["metadata"]["annotations"]
