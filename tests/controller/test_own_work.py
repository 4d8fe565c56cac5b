"""What the operator did itself explains what others find, until they were compared."""

from __future__ import annotations

from typing import Final

from coder_enterprise.controller.own_work import MAX_ACTS, OwnWork
from coder_enterprise.kinds.machinery.resource import Key

ANN: Final = Key("CoderUser", "team", "ann")


def test_an_act_explains_what_is_found_since() -> None:
    own = OwnWork()
    own.compared("group", own.moment)
    own.done("id-of-ann", ANN)
    assert own.since_compared("group", "id-of-ann") == ANN
    assert own.since_compared("group", "id-of-bob") is None


def test_an_act_does_not_explain_what_is_found_after_a_look_at_what_it_did() -> None:
    own = OwnWork()
    own.done("id-of-ann", ANN)
    own.compared("group", own.moment)
    assert own.since_compared("group", "id-of-ann") is None


def test_an_act_during_a_look_may_have_been_seen_or_not() -> None:
    own = OwnWork()
    before = own.moment
    own.done("id-of-ann", ANN)
    own.compared("group", before)
    assert own.since_compared("group", "id-of-ann") == ANN


def test_what_is_kept_is_bounded() -> None:
    own = OwnWork()
    for number in range(MAX_ACTS + 1):
        own.done(number, ANN)
    assert (own.since_compared("group", 0), own.since_compared("group", 1)) == (None, ANN)
