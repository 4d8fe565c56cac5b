"""Who signs in to the page in a browser: with a token of a real cluster, and to what they wanted to see."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from coder_enterprise.page import live
from tests.support.browser import OF_COLOURS, OF_SIZES, PHONE, Visitor, visiting
from tests.support.page import Shown
from tests.support.people import People
from tests.support.signed_in import give, served

WANTED = "/objects?q=platform&kind=CoderGroup"

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def made_up(shown: Shown, people: People, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A page with a group in a namespace where some may look; streams ask every moment who still may."""
    monkeypatch.setattr(live, "HEARTBEAT", 0.5)
    shown.put("CoderGroup", "platform", people.own.name)
    async with served(shown, people) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def wanting(visitor: Visitor, made_up: str) -> Page:
    """Somebody who wants to see a list, and is asked who they are."""
    visitor.expected = ("401", "ERR_")
    await visitor.page.goto(made_up + WANTED)
    return visitor.page


async def test_the_form_is_for_everybody(wanting: Page, visitor: Visitor) -> None:
    assert await visitor.violations() == []
    await wanting.emulate_media(color_scheme="dark")
    assert await visitor.violations(OF_COLOURS) == []
    await wanting.set_viewport_size(PHONE)
    assert await visitor.violations(OF_SIZES) == []
    assert await visitor.overflow() == 0


@pytest.mark.parametrize("scripts", [True, False], ids=["with script", "without script"])
async def test_a_token_leads_to_what_somebody_wanted(
    browser: Browser, made_up: str, people: People, scripts: bool
) -> None:
    async with visiting(browser, java_script_enabled=scripts) as visitor:
        page = visitor.page
        await page.goto(made_up + WANTED)
        await expect(page.locator("h1")).to_have_text("Sign in")
        await give(page, people.token("alice"))
        await expect(page).to_have_url(made_up + WANTED)
        await expect(page.locator("td.name")).to_have_text(["platform"], use_inner_text=True)
        await expect(page.locator(".who")).to_have_text(people.user("alice"))
        assert visitor.complaints == []


async def test_what_is_no_token_is_said_and_can_be_tried_again(wanting: Page, people: People, made_up: str) -> None:
    await give(wanting, "nonsense")
    await expect(wanting.get_by_role("alert")).to_contain_text("does not accept this token")
    await give(wanting, people.token("alice"))
    await expect(wanting).to_have_url(made_up + WANTED)


async def test_who_signs_out_leaves_nothing_behind(wanting: Page, people: People) -> None:
    await give(wanting, people.token("alice"))
    await wanting.get_by_role("button", name="Sign out").click()
    await expect(wanting.locator("h1")).to_have_text("Sign in")
    await wanting.go_back()
    await expect(wanting.locator("h1")).to_have_text("Sign in")


async def test_who_signs_out_in_another_window_is_told_in_this_one(
    wanting: Page, visitor: Visitor, people: People, made_up: str
) -> None:
    await give(wanting, people.token("alice"))
    await expect(wanting.locator("#live")).to_have_text("live")
    other = await visitor.context.new_page()
    await other.goto(made_up)
    await other.get_by_role("button", name="Sign out").click()
    await expect(wanting.locator("#live")).to_contain_text("your session has ended")
    assert await visitor.violations() == []


async def test_a_token_that_ends_is_said_and_who_signs_in_again_is_where_they_were(
    wanting: Page, people: People, made_up: str
) -> None:
    people.add("kate")
    people.allow("kate", "list")
    await give(wanting, people.token("kate"))
    await expect(wanting.locator("#live")).to_have_text("live")
    people.remove("kate")
    await expect(wanting.locator("#live")).to_contain_text("your session has ended")
    await expect(wanting.locator("td.name")).to_have_text(["platform"], use_inner_text=True)
    people.add("kate")
    await wanting.get_by_role("link", name="Sign in again").click()
    await give(wanting, people.new_token("kate"))
    await expect(wanting).to_have_url(made_up + WANTED)
    await expect(wanting.locator("#live")).to_have_text("live")


async def test_a_right_that_is_given_or_taken_is_seen_without_loading_again(wanting: Page, people: People) -> None:
    people.add("lena")
    await give(wanting, people.token("lena"))
    await expect(wanting.get_by_text("Nothing matches.")).to_be_visible()
    people.allow("lena", "list")
    await expect(wanting.locator("td.name")).to_have_text(["platform"], use_inner_text=True)
    people.allow("lena", "watch")
    await expect(wanting.get_by_text("Nothing matches.")).to_be_visible()
