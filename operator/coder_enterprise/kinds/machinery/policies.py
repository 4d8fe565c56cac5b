"""Decisions as chains of small policies: the first one that has an answer decides.

A policy is a pure function of the facts, or of what a chain is about; its docstring is what the docs say of it. All
chains are listed in `kinds.decisions`, from which `docs/reference/decisions.md` is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

FactsT = TypeVar("FactsT")
AnswerT = TypeVar("AnswerT")


class Chain(Generic[FactsT, AnswerT]):
    def __init__(self, *policies: Callable[[FactsT], AnswerT | None]) -> None:
        self._policies = policies

    def decide(self, facts: FactsT) -> AnswerT | None:
        """None when no policy has an answer."""
        for policy in self._policies:
            answer = policy(facts)
            if answer is not None:
                return answer
        return None

    def explained(self) -> Iterator[tuple[str, str]]:
        """The name of each policy, and what it says."""
        for policy in self._policies:
            yield policy.__name__.strip("_").replace("_", " "), " ".join((policy.__doc__ or "").split())
