"""The closed vocabulary of reasons: each word is explained to users, once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from coder_enterprise.client import errors
from coder_enterprise.kinds.reasons import Reason

TESTS: Final = Path(__file__).parents[1]
PAGE: Final = TESTS.parent / "docs" / "reference" / "reasons.md"
ROW: Final = re.compile(r"^\| `(\w+)` \|(.*)\|$", re.MULTILINE)


def rows() -> list[tuple[str, list[str]]]:
    return [(match[1], [cell.strip() for cell in match[2].split("|")]) for match in ROW.finditer(PAGE.read_text())]


def test_each_reason_is_explained_once() -> None:
    assert sorted(word for word, _ in rows()) == sorted(Reason)


@pytest.mark.parametrize(("word", "cells"), rows())
def test_each_explanation_says_where_what_and_what_to_do(word: str, cells: list[str]) -> None:
    where, meaning, advice = cells
    assert re.search(
        r"Ready|Synced|Reachable|Authenticated|Licensed|Registered|Healthy|Available|Valid|Visible", where
    ), word
    assert re.search(r"Coder[A-Z][A-Za-z]+|objects|all kinds", where), word
    assert meaning.endswith("."), word
    assert advice.endswith("."), word


def subclasses(cls: type[errors.OperatorError]) -> set[type[errors.OperatorError]]:
    return {cls}.union(*(subclasses(child) for child in cls.__subclasses__()))


def test_each_error_of_the_client_has_a_reason_of_the_vocabulary() -> None:
    ours = {cls for cls in subclasses(errors.OperatorError) if cls.__module__ == errors.__name__}
    assert {cls.reason for cls in ours} <= set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_what_some_test_expects(reason: Reason) -> None:
    tests = [path.read_text() for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    assert any(re.search(rf'"{reason}"|Reason\.{reason.name}\b', text) for text in tests)


def test_reasons_are_words_that_kubernetes_accepts() -> None:
    assert all(re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", reason) for reason in Reason)
