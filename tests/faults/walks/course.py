"""Draws walks: a state machine of hypothesis, whose rules are the steps that may come next. It does none of them."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from tests.faults.walks.steps import (
    ACLS,
    GROUPS,
    LICENCES,
    LOOKS,
    OPERATORS,
    PEOPLE,
    POLICIES,
    PROXIES,
    SLOTS,
    USERS,
    WAITS,
    Step,
)

LEAST: Final = 4
"""Steps between two repairs."""
EXAMPLES: Final = 3
"""Hypothesis begins with the simplest that there is; the last one is taken."""

names = st.sampled_from(sorted(SLOTS))
policies = st.sampled_from([(name, str(value)) for name, values in POLICIES.items() for value in values])


class Course(RuleBasedStateMachine):
    """Knows as much as makes a step worth while."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.declared: set[str] = set()
        self.up = self.connected = True
        self.running = set(OPERATORS)

    def take(self, do: str, *args: str) -> None:
        self.steps.append(Step(do, args))

    def has(self, kind: str) -> bool:
        """An object of that kind is declared."""
        return any(SLOTS[name].kind == kind for name in self.declared)

    # What users declare

    @initialize(chosen=st.lists(names, min_size=2, unique=True))
    def begin(self, chosen: list[str]) -> None:
        for name in chosen:
            self.declare(name, 0)

    @rule(name=names, number=st.integers(0, 3))
    def declare(self, name: str, number: int) -> None:
        self.declared.add(name)
        self.take("declare", name, str(number % len(SLOTS[name].specs)))

    @precondition(lambda self: self.declared)
    @rule(data=st.data(), policy=policies)
    def set_policy(self, data: st.DataObject, policy: tuple[str, str]) -> None:
        self.take("set_policy", data.draw(st.sampled_from(sorted(self.declared))), *policy)

    @precondition(lambda self: self.declared)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.declared)))
        self.declared.discard(name)
        self.take("delete", name)

    @precondition(lambda self: self.connected)
    @rule()
    def disconnect(self) -> None:
        self.connected = False
        self.take("disconnect")

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self) -> None:
        self.connected = True
        self.take("connect")

    def redeclare(self, name: str, number: int) -> None:
        self.declare(name, number)

    more = rule(name=names, number=st.integers(0, 3))(redeclare)
    """Edits are what is most frequent."""

    # Secrets

    @rule(what=st.sampled_from(["another", "wrong", "missing", "right"]))
    def rotate_token(self, what: str) -> None:
        self.take("rotate_token", what)

    @precondition(lambda self: self.has(LICENCES))
    @rule(name=st.sampled_from(["first", "second"]), what=st.sampled_from(["another", "missing"]))
    def rotate_licence(self, name: str, what: str) -> None:
        self.take("rotate_licence", name, what)

    @precondition(lambda self: self.has(PROXIES))
    @rule(what=st.sampled_from(["asked", "missing"]))
    def rotate_proxy_token(self, what: str) -> None:
        self.take("rotate_proxy_token", what)

    # What people do in Coder

    @rule(name=st.sampled_from(["red", "blue", "crimson", "ops"]))
    def make_group(self, name: str) -> None:
        self.take("make_group", name)

    @precondition(lambda self: self.has(GROUPS))
    @rule(name=st.sampled_from(["red", "blue", "crimson"]), what=st.sampled_from(["alter", "empty", "delete"]))
    def drift_group(self, name: str, what: str) -> None:
        self.take("drift_group", name, what)

    @precondition(lambda self: self.has(USERS))
    @rule(what=st.sampled_from(["suspend", "roles", "delete"]))
    def drift_user(self, what: str) -> None:
        self.take("drift_user", what)

    @rule(name=st.sampled_from(PEOPLE), what=st.sampled_from(["come", "go"]))
    def person(self, name: str, what: str) -> None:
        self.take("person", name, what)

    @precondition(lambda self: self.has(ACLS))
    @rule()
    def drift_acl(self) -> None:
        self.take("drift_acl")

    @precondition(lambda self: self.has(LOOKS))
    @rule()
    def drift_looks(self) -> None:
        self.take("drift_looks")

    @precondition(lambda self: self.has(PROXIES))
    @rule(what=st.sampled_from(["alter", "delete"]))
    def drift_proxy(self, what: str) -> None:
        self.take("drift_proxy", what)

    @precondition(lambda self: self.has(LICENCES))
    @rule(what=st.sampled_from(["ours", "theirs", "back"]))
    def drift_licence(self, what: str) -> None:
        self.take("drift_licence", what)

    # What happens to processes

    @rule()
    def outage(self) -> None:
        self.up = not self.up
        self.take("start_server" if self.up else "kill_server")

    @rule(name=st.sampled_from(OPERATORS))
    def operator(self, name: str) -> None:
        if name in self.running:
            self.running.discard(name)
            self.take("kill_operator", name)
        else:
            self.running.add(name)
            self.take("start_operator", name)

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(OPERATORS), ends=st.booleans())
    def restart_operator(self, name: str, ends: bool) -> None:
        self.running.add(name)
        self.take("restart_operator", name, "end" if ends else "kill")

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(OPERATORS))
    def pause_operator(self, name: str) -> None:
        self.running.discard(name)
        self.take("pause_operator", name)

    @rule()
    def restart_api_server(self) -> None:
        self.take("restart_api_server")

    # Time

    @rule(milliseconds=st.sampled_from(WAITS))
    def wait(self, milliseconds: str) -> None:
        self.take("wait", milliseconds)

    @precondition(lambda self: not any(step.do == "heal" for step in self.steps[-LEAST:]))
    @rule()
    def heal(self) -> None:
        """All is repaired, it becomes quiet, and is looked at."""
        self.up = self.connected = True
        self.running = set(OPERATORS)
        self.take("heal")


def draw(number: int, length: int) -> list[Step]:
    """The walk of that seed; it ends with all being repaired, and with all being deleted."""
    walks: list[list[Step]] = []

    class Drawn(Course):
        @override
        def teardown(self) -> None:
            walks.append(self.steps)

    drawn: Any = seed(number)(Drawn)
    run_state_machine_as_test(
        drawn,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=length,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return [*walks[-1], Step("heal"), Step("clear")]
