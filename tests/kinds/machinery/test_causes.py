"""Why something was changed in Coder, from facts alone; how the facts are gathered is tested with the controller."""

from __future__ import annotations

from typing import Any, Final

import pytest

from coder_enterprise.kinds.machinery.causes import Cause, Circumstances, cause_of
from coder_enterprise.kinds.machinery.changes import ROTATED, SUBJECT_GONE, Action, Change
from coder_enterprise.kinds.machinery.resource import Key, Resource

OTHER: Final = Key("CoderGroup", "team", "other")
UPDATE: Final = Change(Action.UPDATE, "spec.name", "a", "b")
ADD: Final = Change(Action.ADD, "spec.users", after="ann", subject="u1")
READY: Final = {"type": "Ready", "status": "True", "reason": "Applied"}


def was(**status: Any) -> Resource:
    metadata = {"namespace": "team", "name": "one", "uid": "u1", "resourceVersion": "1", "generation": 2}
    known = {"id": "x", "observedGeneration": 2, "conditions": [READY]}
    return Resource.from_body("Thing", {"metadata": metadata, "spec": {}, "status": {**known, **status}})


NEW: Final = was(id=None)
EDITED: Final = was(observedGeneration=1)
UNWELL: Final = was(conditions=[{**READY, "status": "False"}])
AT_REST: Final = was()


@pytest.mark.parametrize(
    ("cause", "before", "change", "facts"),
    [
        (Cause.CREATION, NEW, ADD, {"waits": True}),
        (Cause.ADOPTION, NEW, UPDATE, {"existed": True}),
        (Cause.EDIT, EDITED, ADD, {"waits": True, "because": OTHER}),
        (Cause.ROTATION, AT_REST, Change(Action.UPDATE, "spec.token", event=ROTATED), {"moved_on": True}),
        (Cause.UPKEEP, AT_REST, Change(Action.UPDATE, "spec.workload", event="WorkloadApplied"), {}),
        (Cause.DUE, AT_REST, UPDATE, {"moved_on": True}),
        (Cause.ARRIVAL, AT_REST, ADD, {"waits": True, "because": OTHER}),
        (Cause.DRIFT, AT_REST, UPDATE, {"waits": True}),
        (Cause.CONSEQUENCE, AT_REST, ADD, {"because": OTHER}),
        (Cause.DEPARTURE, AT_REST, Change(Action.REMOVE, "spec.users", "ann", event=SUBJECT_GONE), {}),
        (Cause.RECOVERY, UNWELL, UPDATE, {}),
        (Cause.DRIFT, AT_REST, UPDATE, {}),
    ],
)
def test_the_first_fact_that_explains_a_change_is_its_cause(
    cause: Cause, before: Resource, change: Change, facts: dict[str, Any]
) -> None:
    assumed = {"existed": False, "moved_on": False, "waits": False, "because": None, **facts}
    assert cause_of(Circumstances(change, before, **assumed)) is cause
