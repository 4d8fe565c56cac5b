"""A plan becomes a comment that fits, shows what is urgent, and says what it left out."""

from __future__ import annotations

import re

from coder_enterprise.cli.plan_markdown import MAX_COMMENT, markdown
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.planner.faults import Fault, Origin
from coder_enterprise.planner.plans import Plan, Step, Verb

WILD = "<someone>@@@@@@@@"


def crowd(number: int, verb: Verb = Verb.CHANGE) -> Step:
    """A group that gets a thousand members."""
    key = Key("CoderGroup", "default", f"crowd-{number}")
    people = [Change(Action.ADD, "spec.members.users", after=f"{WILD}{each}") for each in range(1000)]
    return Step(key, verb, title=key.name, deployment=Key("CoderDeployment", "default", "coder"), changes=tuple(people))


def refused() -> Step:
    key = Key("CoderUser", "default", "zoe")
    return Step(key, Verb.REFUSE, deployment=Key("CoderDeployment", "default", "coder"), message="claims the same")


def faults(number: int) -> list[Fault]:
    return [Fault(Origin(f"{each}.yaml", 1), WILD * 10) for each in range(number)]


def test_a_comment_holds_the_plan_and_says_how_much_it_left_out() -> None:
    text = markdown(Plan([*(crowd(number) for number in range(30)), refused()], faults(3)))
    assert len(text) <= MAX_COMMENT
    assert "default/zoe" in text  # what a person must repair has room first
    assert text.count("0.yaml") == 1
    assert "… and 9" in text
    told = re.search(r"holds no more: the details of (\d+) to change\. ", text)
    assert told is not None
    assert text.count("default/crowd-") + int(told[1]) == 30
    assert text.count("<details open>") == text.count("</details>") == 2


def test_faults_that_no_comment_holds_are_counted() -> None:
    text = markdown(Plan([], faults(2000)))
    assert len(text) <= MAX_COMMENT
    told = re.search(r"the details of (\d+) invalid", text)
    assert told is not None
    assert text.count(".yaml") + int(told[1]) == 2000


def test_kinds_and_deployments_without_number_leave_the_comment_whole() -> None:
    steps = [
        Step(Key("CoderGroup", f"team-{number}", "x"), Verb.CREATE, "x", Key("CoderDeployment", f"team-{number}", "y"))
        for number in range(2000)
    ]
    text = markdown(Plan(steps))
    assert len(text) <= MAX_COMMENT
    assert text.count("<details open>") == text.count("</details>")


def test_what_fits_is_not_cut() -> None:
    assert "Left out" not in markdown(Plan([refused()]))
