"""Who has no mouse gets everywhere."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.support.browser import Visitor
from tests.support.page import Shown

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def shown() -> Shown:
    shown = Shown()
    for name in ("a", "b", "c"):
        shown.put("CoderGroup", name)
    return shown


async def test_rows_are_walked_through_and_opened(visitor: Visitor, made_up: str) -> None:
    page = visitor.page
    await page.goto(f"{made_up}/objects?sort=name")
    for key in "jjjk":
        await page.keyboard.press(key)
    here = page.locator("[data-row].here")
    await expect(here).to_have_count(1)
    await expect(here.locator("td.name")).to_have_text("b", use_inner_text=True)
    target = await here.locator("td.name a").get_attribute("href")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{made_up}{target}")


async def test_a_slash_searches_and_escape_leaves(visitor: Visitor, made_up: str) -> None:
    page = visitor.page
    await page.goto(f"{made_up}/objects")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.press("?")
    await expect(page.get_by_role("searchbox")).to_have_value("?")
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await visitor.violations() == []
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()


async def test_the_first_stop_of_the_tabulator_skips_the_top(visitor: Visitor, made_up: str) -> None:
    page = visitor.page
    await page.goto(f"{made_up}/objects")
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to what is on this page")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_letters_lead_to_the_pages(visitor: Visitor, made_up: str) -> None:
    page = visitor.page
    await page.goto(made_up)
    await page.keyboard.press("g")
    await page.keyboard.press("l")
    await expect(page).to_have_url(f"{made_up}/objects")
    await expect(page.locator("#live")).to_have_text("live")  # its script listens
    await page.keyboard.press("g")
    await page.keyboard.press("o")
    await expect(page).to_have_url(f"{made_up}/")


async def test_light_and_dark_can_be_chosen_and_stay_so(visitor: Visitor, made_up: str) -> None:
    page = visitor.page
    await page.goto(made_up)
    ground = "getComputedStyle(document.body).backgroundColor"
    before = await page.evaluate(ground)
    await page.get_by_role("button", name="Light or dark").click()
    dark = await page.evaluate(ground)
    assert dark != before
    await page.goto(f"{made_up}/objects")
    assert await page.evaluate(ground) == dark
