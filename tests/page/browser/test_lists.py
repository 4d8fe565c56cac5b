"""The list of objects in the hands of a person: filters, order and pages are in the URL, and come back with it."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from coder_enterprise.page.lists import PER_PAGE
from tests.support.browser import Visitor
from tests.support.page import Shown, condition

STALLED = [condition("Ready", "False", "Refused", "422: the name is taken"), condition("Stalled", "True", "Refused")]

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def shown() -> Shown:
    shown = Shown()
    shown.deployment()
    shown.put("CoderGroup", "b", "east")
    shown.put("CoderGroup", "a", "west", conditions=STALLED)
    shown.put("CoderUser", "c", "west")
    return shown


async def names(page: Page) -> list[str]:
    return await page.locator("td.name").all_inner_texts()


async def test_a_bar_of_the_overview_leads_to_what_it_counts(visitor: Visitor, made_up: str) -> None:
    await visitor.page.goto(made_up)
    await visitor.page.locator("table.kinds").get_by_role("link", name="1 needs a person").click()
    await expect(visitor.page).to_have_url(f"{made_up}/objects?kind=CoderGroup&state=stalled")
    assert await names(visitor.page) == ["a"]


async def test_filters_are_held_in_the_url(visitor: Visitor, made_up: str) -> None:
    page = visitor.page
    await page.goto(f"{made_up}/objects")
    await page.get_by_label("Namespace").select_option("west")
    await expect(page).to_have_url(f"{made_up}/objects?namespace=west")
    assert await names(page) == ["a", "c"]
    await page.get_by_role("link", name="Needs a person").click()
    await expect(page.locator("td.name")).to_have_text(["a"], use_inner_text=True)
    await page.reload()
    assert await names(page) == ["a"]
    await expect(page.get_by_label("Namespace")).to_have_value("west")
    await page.go_back()
    await expect(page.locator("td.name")).to_have_text(["a", "c"], use_inner_text=True)
    await page.go_back()
    await expect(page.locator("td.name")).to_have_count(4)


async def test_a_search_keeps_the_filters(visitor: Visitor, made_up: str) -> None:
    page = visitor.page
    await page.goto(f"{made_up}/objects")
    await page.get_by_role("searchbox").fill("west")
    await page.keyboard.press("Enter")
    await expect(page.locator("td.name")).to_have_text(["a", "c"], use_inner_text=True)
    await page.get_by_label("Kind").select_option("CoderUser")
    await expect(page.locator("td.name")).to_have_text(["c"], use_inner_text=True)


async def test_columns_sort_both_ways(visitor: Visitor, made_up: str) -> None:
    page = visitor.page
    await page.goto(f"{made_up}/objects")
    heading = page.locator("th.name")
    await heading.get_by_role("link").click()
    await expect(page.locator("td.name")).to_have_text(["a", "b", "c", "coder"], use_inner_text=True)
    await expect(heading).to_have_attribute("aria-sort", "ascending")
    await heading.get_by_role("link").click()
    await expect(page.locator("td.name")).to_have_text(["coder", "c", "b", "a"], use_inner_text=True)
    await expect(heading).to_have_attribute("aria-sort", "descending")


async def test_a_long_list_is_paged_through(visitor: Visitor, made_up: str, shown: Shown) -> None:
    for number in range(PER_PAGE):
        shown.put("CoderGroup", f"group-{number:03}")
    page = visitor.page
    await page.goto(f"{made_up}/objects?kind=CoderGroup&sort=name")
    assert len(await names(page)) == PER_PAGE
    await page.get_by_role("link", name="Next").click()
    await expect(page.locator("td.name")).to_have_text(
        [f"group-{PER_PAGE - number:03}" for number in (2, 1)], use_inner_text=True
    )
    await page.get_by_role("link", name="Previous").click()
    await expect(page.locator("td.name")).to_have_count(PER_PAGE)
