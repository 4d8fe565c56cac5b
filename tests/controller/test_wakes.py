"""Who wakes whom: the visits that follow from what an object was and what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from coder_enterprise.controller.index import Index, referring_to, using_secret, waiting_in, with_id, with_name
from coder_enterprise.controller.queue import Priority
from coder_enterprise.controller.wakes import COUNT_DELAY, PEOPLE_DELAY, Wake, people_came, secret_changed, wakes
from coder_enterprise.kinds.machinery.resource import CLAIM, FINALIZER, RECONCILE_REQUESTED_AT, Key, Resource
from tests.support.things import ThingKind, WorldDeploymentKind

INDEX: Final = Index(WorldDeploymentKind(), [ThingKind()])
CODER: Final = Key("CoderDeployment", "team", "coder")
KEY: Final = Key("Thing", "team", "one")
READY: Final = {"type": "Ready", "status": "True", "reason": "Applied"}
NOT_READY: Final = {"type": "Ready", "status": "False", "reason": "Conflict"}

ITSELF: Final = Wake(KEY, Priority.USER, afresh=True)
COUNT: Final = Wake(CODER, Priority.RESYNC, COUNT_DELAY)
REFERRERS: Final = Wake(referring_to(KEY), Priority.RETRY)
RIVALS: Final = {Wake(term, Priority.RETRY, but=KEY) for term in (with_id("Thing", "t-1"), with_name("Thing", "one"))}


def thing(**changes: Any) -> Resource:
    metadata = {"namespace": "team", "name": "one", "uid": "u1", "resourceVersion": "1", "finalizers": [FINALIZER]}
    status = {"id": "t-1", "observedGeneration": 1, "conditions": [READY]}
    return replace(Resource.from_body("Thing", {"metadata": metadata, "spec": {}, "status": status}), **changes)


def after(before: Resource | None, now: Resource | None) -> set[Wake]:
    found = list(wakes(INDEX, before, now))
    assert len(found) == len(set(found)), "each is said once"
    return set(found)


def test_a_new_object_is_visited_counted_and_told_to_who_refers_to_it() -> None:
    assert after(None, thing()) == {ITSELF, COUNT, REFERRERS}


def test_an_object_that_goes_wakes_its_rivals_its_deployment_and_who_refers_to_it() -> None:
    assert after(thing(), None) == RIVALS | {COUNT, REFERRERS}


def test_an_edit_wakes_the_object_and_its_rivals() -> None:
    assert after(thing(), thing(generation=2, spec={"color": "red"})) == RIVALS | {ITSELF}


def test_a_deletion_has_its_own_priority() -> None:
    assert after(thing(), thing(deleting=True)) == {replace(ITSELF, priority=Priority.DELETION)}


def test_readiness_concerns_the_deployment_and_who_refers_to_it() -> None:
    status = {**thing().status, "conditions": [NOT_READY]}
    assert after(thing(), thing(status=status)) == {COUNT, REFERRERS}


def test_a_new_external_id_concerns_who_refers_to_it() -> None:
    assert after(thing(status={"conditions": [READY]}), thing()) == {REFERRERS}


@pytest.mark.parametrize("annotations", [{RECONCILE_REQUESTED_AT: "now"}, {"enterprise.coder.com/other": "now"}])
def test_an_annotation_asks_for_a_visit(annotations: dict[str, str]) -> None:
    assert after(thing(), thing(annotations=annotations)) == {ITSELF}


def test_what_the_operator_writes_asks_for_nothing() -> None:
    written = thing(annotations={CLAIM: "signed"}, resource_version="2", status={**thing().status, "memberCount": 3})
    assert after(thing(), written) == set()


def test_a_status_that_somebody_has_set_back_asks_for_a_visit() -> None:
    assert after(thing(), thing(status={**thing().status, "observedGeneration": -1})) == {ITSELF}


def test_a_finalizer_that_somebody_takes_asks_for_a_visit() -> None:
    assert after(thing(), thing(finalizers=())) == {ITSELF}
    nothing = thing(status={**thing().status, "id": None})
    assert after(nothing, replace(nothing, finalizers=())) == set(), "the operator itself has let it go"


def test_a_coder_deployment_wakes_itself_alone() -> None:
    deployment = replace(thing(), key=CODER, status={})
    assert after(None, deployment) == {replace(ITSELF, whom=CODER)}
    assert after(deployment, None) == set()


def test_a_secret_wakes_who_needs_it() -> None:
    body = {"metadata": {"namespace": "team", "name": "token"}}
    assert secret_changed(body) == Wake(using_secret("team", "token"), Priority.USER)


def test_people_wake_who_waits_for_them_a_moment_later() -> None:
    assert people_came(CODER) == Wake(waiting_in(CODER), Priority.RETRY, PEOPLE_DELAY)
