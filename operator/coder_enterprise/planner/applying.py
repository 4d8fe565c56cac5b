"""Carries manifests out once, without Kubernetes: the operator's own `apply`, object by object.

Called by `coder-enterprise apply`. Without a cluster nothing remembers which things in Coder an object has made: what
exists already is changed only where `adoptionPolicy` allows it. Safe to interrupt and to repeat, because each object is
looked at afresh right before it is written, and nothing is written that this look did not name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from coder_enterprise.client.errors import OperatorError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.planner.comparing import Look
from coder_enterprise.planner.items import Item, items_of
from coder_enterprise.planner.planning import Planner, refuse_rivals, silent
from coder_enterprise.planner.plans import Step, Verb

MAX_ROUNDS: Final = 4
"""An object may wait for what a later one makes; who waits still, waits for somebody else."""


class Outcome(StrEnum):
    APPLIED = "applied"
    FAILED = "failed"
    REFUSED = "refused"
    """A person must change something first; the message says what."""
    LEFT = "left as it is"
    """It waits, or is another one's to apply; the message says why."""
    UNCHANGED = "unchanged"


LET_BE: Final = {Verb.REFUSE: Outcome.REFUSED, Verb.WAIT: Outcome.LEFT, Verb.FAIL: Outcome.FAILED}


@dataclass
class Result:
    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    messages: dict[Key, str] = field(default_factory=dict)

    def record(self, key: Key, outcome: Outcome, message: str = "") -> None:
        if outcome is Outcome.UNCHANGED and self.outcomes.get(key) is Outcome.APPLIED:
            return  # by an earlier round
        self.outcomes[key] = outcome
        self.messages[key] = message

    @property
    def counts(self) -> Counter[Outcome]:
        return Counter(self.outcomes.values())


@dataclass
class Applier(Planner):
    """Looks at each object once more, and carries out what that look names."""

    claimed: Mapping[Key, str] = field(default_factory=dict)
    """Objects that an operator works for in a cluster, and how that shows: they are let be."""

    async def apply(self) -> Result:
        """Everything that may be applied, in the order in which objects refer to each other."""
        items, _ = items_of(self.manifests, self.live)
        result = Result()
        async with self.opened(items):
            await self.visit(items, self.plan_one, silent)
            refuse_rivals(items.values())
            rivals = {
                key: item.step for key, item in items.items() if item.step and item.step.reason is Reason.CONFLICT
            }
            for key, step in rivals.items():
                result.record(key, Outcome.REFUSED, f"{step.reason}: {step.message}")
            others = {key: item for key, item in items.items() if key not in rivals}
            for _ in range(MAX_ROUNDS):
                before = result.counts
                await self.visit(others, lambda item: self._apply_one(item, result))
                if before == result.counts or not any(map(_awaits, others.values())):
                    break
        return result

    async def _apply_one(self, item: Item, result: Result) -> None:
        key = item.resource.key
        if result.outcomes.get(key) is Outcome.FAILED:
            return
        found = await self.look(item, fresh=True)
        step = item.step = found.step
        outcome, why = self._let_be(item, step)
        if outcome is not None:
            result.record(key, outcome, why)
        elif not step.acts:
            result.record(key, Outcome.UNCHANGED)
            if step.external_id:
                self.remember(item, {"id": step.external_id})
        else:
            try:
                await self._carry_out(item, found)
            except OperatorError as error:
                result.record(key, Outcome.FAILED, f"{error.reason}: {error.message}")
            else:
                result.record(key, Outcome.APPLIED)

    def _let_be(self, item: Item, step: Step) -> tuple[Outcome | None, str]:
        """What becomes of it without a call, and why; None for one that is to be applied, or is as it should be."""
        if item.resource.key in self.claimed:
            return Outcome.LEFT, self.claimed[item.resource.key]
        if step.verb in LET_BE:
            why = f"{step.reason}: {step.message}" if step.reason else f"waits for {', '.join(step.pending)}"
            return LET_BE[step.verb], why
        if step.acts and item.kind.needs_cluster:
            why = f"a {step.key.kind} puts a token into a Secret, which only a cluster has: apply it there"
            return Outcome.LEFT, why
        return (Outcome.REFUSED, step.message) if step.unproven else (None, "")

    async def _carry_out(self, item: Item, found: Look) -> None:
        context = self.server(item).context
        after = await item.kind.apply(context, item.spec, found.observed, found.changes)
        fields = item.kind.report(item.spec, after, found.changes, item.resource.status)
        status = {name: value for name, value in {**item.resource.status, **fields}.items() if value is not None}
        item.resource = replace(item.resource, status=status)
        self.remember(item, {})
        if after.trouble is not None:
            raise after.trouble


def _awaits(item: Item) -> bool:
    return item.step is not None and (item.step.verb is Verb.WAIT or bool(item.step.pending))
