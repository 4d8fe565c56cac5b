"""The facts under tests/data are those of the contract page, wherever the page is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.contract import key, records
from tools.contract.page import read

PAGE = Path(__file__).parents[3] / "shared" / "contract" / "enterprise.md"


def test_the_facts_are_those_of_the_page() -> None:
    if not PAGE.exists():
        pytest.skip(f"the contract page is not at hand ({PAGE.name})")
    assert records() == read(PAGE.read_text())


def test_there_is_one_record_for_each_endpoint() -> None:
    assert len(records()) == len({key(record) for record in records()}) == 29
