"""Plans as people and programs read them: text for terminals, JSON, and what `cli.plan_markdown` makes for reviews."""

from __future__ import annotations

import json
from collections.abc import Iterator

from coder_enterprise.cli.plan_lines import SIGNS, details, groups, headline, visible
from coder_enterprise.cli.plan_markdown import markdown, marks
from coder_enterprise.cli.planning import Output
from coder_enterprise.planner.plans import Plan, Verb


def render(plan: Plan, output: Output) -> str:
    match output:
        case Output.JSON:
            return json.dumps(plan.as_dict(), indent=2, ensure_ascii=False)
        case Output.MARKDOWN:
            return markdown(plan)
        case Output.GITHUB:
            return "\n".join([*marks(plan), markdown(plan)])
        case Output.TEXT:
            return "\n".join(map(visible, _text(plan)))


def _text(plan: Plan) -> Iterator[str]:
    before, told = None, list[str]()
    for deployment, kind, steps in groups(plan):
        if deployment != before:
            yield from ([] if before is None else [""])
            yield deployment
            before = deployment
            told = []
        yield f"  {kind}"
        for step in steps:
            yield f"  {SIGNS[step.verb]} {step.key.namespaced_name}: {headline(step)}"
            said = [f"      {line}" for line in details(step)]
            if said and (step.verb is not Verb.FAIL or said != told):  # a server that is away is one fact
                yield from said
            told = said
    if before is not None:
        yield ""
    if plan.faults:
        yield from (f"invalid: {fault}" for fault in plan.faults)
        yield ""
    yield from plan.notes
    yield plan.summary
