"""Decisions: the first policy that has an answer decides, and each is told in the docs."""

from __future__ import annotations

import pytest

from coder_enterprise.kinds.decisions import DECISIONS, Decision
from coder_enterprise.kinds.machinery.policies import Chain


def test_the_first_answer_decides() -> None:
    chain: Chain[int, str] = Chain(lambda number: "even" if number % 2 == 0 else None, lambda _: "odd")
    assert (chain.decide(2), chain.decide(3)) == ("even", "odd")


def test_without_an_answer_nothing_is_decided() -> None:
    chain: Chain[int, str] = Chain(lambda _: None)
    assert chain.decide(1) is None


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.question)
def test_every_policy_says_what_it_decides(decision: Decision) -> None:
    rows = list(decision.chain.explained())
    assert rows
    assert all(says.endswith(".") for _, says in rows)
