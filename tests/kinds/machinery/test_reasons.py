"""The closed vocabulary of reasons: each word is explained to users, once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from coder_enterprise.client import errors
from coder_enterprise.kinds.machinery.explanations import EXPLANATIONS, SECTIONS, Explanation
from coder_enterprise.kinds.machinery.reasons import Reason

TESTS: Final = Path(__file__).parents[2]


def test_each_reason_is_explained_once() -> None:
    assert sorted(reason for section in SECTIONS for reason in section.reasons) == sorted(Reason)


@pytest.mark.parametrize(("reason", "text"), EXPLANATIONS.items())
def test_each_explanation_says_where_what_and_what_to_do(reason: Reason, text: Explanation) -> None:
    assert re.search(
        r"Ready|Synced|Reachable|Authenticated|Licensed|Registered|Healthy|Available|Valid|Visible", text.where
    )
    assert re.search(r"Coder[A-Z][A-Za-z]+|objects|all kinds", text.where)
    assert text.meaning.endswith(".")
    assert text.advice.endswith(".")


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
