"""Whose things they are: consent before every call, and proofs that only the operator can write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import pytest

from coder_enterprise.client import errors
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.consent import Demand
from coder_enterprise.kinds.machinery.resource import CLAIM
from tests.support.engine import Cluster
from tests.support.things import World

pytestmark = pytest.mark.looptime

GUESTS: Final = "guests"
REFERENCE: Final = {"name": "coder", "namespace": "team"}


async def guest_is_applied(cluster: Cluster, **spec: Any) -> str:
    """A thing of another namespace, which may be there; its id."""
    await cluster.begin(allowedNamespaces=[GUESTS])
    cluster.thing("one", GUESTS, deploymentRef=REFERENCE, **spec)
    await cluster.until(lambda: cluster.is_applied("one", GUESTS))
    return str(cluster.status("things", "one", GUESTS)["id"])


async def gone(cluster: Cluster, name: str = "one", namespace: str = GUESTS) -> None:
    await cluster.until(lambda: cluster.body("things", name, namespace) is None, within=20)


async def released(cluster: Cluster) -> str:
    """What the event says."""
    await cluster.until(lambda: cluster.events("Released"))
    assert cluster.events("Released")[0]["type"] == "Warning"
    return str(cluster.events("Released")[0]["note"])


def calls(cluster: Cluster) -> list[str]:
    return [call for call in cluster.coder.calls if call != "ping"]


# Consent


async def test_a_stranger_with_a_forged_claim_deletes_nothing(cluster: Cluster) -> None:
    await cluster.begin()
    theirs = cluster.coder.put("one", "theirs")
    cluster.forge("one", GUESTS, claim=lambda thing: f"{thing.uid}/one", deploymentRef=REFERENCE)
    cluster.kubernetes.delete("things", "one", GUESTS)
    await gone(cluster)
    assert list(cluster.coder.things) == [theirs.id]
    assert calls(cluster) == []


async def test_without_consent_a_true_claim_is_of_no_use_either(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.put("one", "theirs")
    claim = cluster.claims.sign
    cluster.forge("one", GUESTS, claim=lambda thing: claim(thing, "one"), deploymentRef=REFERENCE)
    cluster.kubernetes.delete("things", "one", GUESTS)
    await gone(cluster)
    assert len(cluster.coder.things) == 1
    assert calls(cluster) == []


async def test_a_withdrawn_consent_leaves_what_is_there_and_makes_no_call(cluster: Cluster) -> None:
    thing_id = await guest_is_applied(cluster)
    cluster.connect()
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed")
    before = calls(cluster)
    cluster.kubernetes.delete("things", "one", GUESTS)
    await gone(cluster)
    assert (list(cluster.coder.things), calls(cluster)) == ([thing_id], before)
    note = await released(cluster)
    assert "spec.allowedNamespaces" in note
    assert f"{thing_id} stays in Coder" in note


async def test_a_deployment_that_is_gone_is_remembered_with_whom_it_allowed_last(cluster: Cluster) -> None:
    thing_id = await guest_is_applied(cluster)
    cluster.connect()
    cluster.kubernetes.delete("coderdeployments", "coder")
    await asyncio.sleep(1)
    before = calls(cluster)
    cluster.kubernetes.delete("things", "one", GUESTS)
    await gone(cluster)
    assert (list(cluster.coder.things), calls(cluster)) == ([thing_id], before)


async def test_a_deployment_that_is_gone_still_serves_whom_it_allowed(cluster: Cluster) -> None:
    await guest_is_applied(cluster)
    cluster.kubernetes.delete("coderdeployments", "coder")
    await asyncio.sleep(1)
    cluster.kubernetes.delete("things", "one", GUESTS)
    await gone(cluster)
    assert cluster.coder.things == {}


async def test_a_deployment_that_went_before_a_restart_allows_nobody(cluster: Cluster) -> None:
    thing_id = await guest_is_applied(cluster)
    await cluster.stop()
    cluster.kubernetes.delete("coderdeployments", "coder")
    cluster.kubernetes.delete("things", "one", GUESTS)
    before = calls(cluster)
    await cluster.start()
    await gone(cluster)
    assert (list(cluster.coder.things), calls(cluster)) == ([thing_id], before)


async def test_a_consent_that_is_withdrawn_while_the_operator_looks_stops_it(cluster: Cluster) -> None:
    await cluster.begin(allowedNamespaces=[GUESTS])

    def withdraw(what: str) -> None:
        if what == "things/one object":
            cluster.kubernetes.on_write = lambda _: None
            cluster.connect()

    cluster.kubernetes.on_write = withdraw
    cluster.thing("one", GUESTS, deploymentRef=REFERENCE)
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed")
    assert cluster.coder.writes == []


async def test_a_deployment_whose_spec_nobody_understands_keeps_its_guests_waiting(cluster: Cluster) -> None:
    thing_id = await guest_is_applied(cluster)
    cluster.connect(allowedNamespaces=[GUESTS], resyncInterval=["not", "text"])
    cluster.kubernetes.delete("things", "one", GUESTS)
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "Deleting")
    assert thing_id in cluster.coder.things
    cluster.connect(allowedNamespaces=[GUESTS])
    await gone(cluster)
    assert cluster.coder.things == {}


# Proofs


async def test_a_forged_claim_adopts_nothing(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.put("one", "theirs")
    cluster.forge("one", claim=lambda thing: f"{thing.uid}/one", color="ours")
    await cluster.until(lambda: cluster.reason("one") == "AlreadyExists")
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, namespace="team")
    assert [thing.color for thing in cluster.coder.things.values()] == ["theirs"]


async def test_a_claim_is_good_for_no_other_object_and_no_other_name(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("first")
    await cluster.until(lambda: cluster.is_applied("first"))
    cluster.coder.put("victim", "theirs")
    claim = str(cluster.kubernetes.objects["things", "team", "first"]["metadata"]["annotations"][CLAIM])
    cluster.forge("copy", claim=lambda _: claim, name="victim")
    cluster.forge("other", claim=lambda thing: cluster.claims.sign(thing, "other"), name="victim")
    await cluster.until(lambda: "AlreadyExists" in {cluster.reason("copy"), cluster.reason("other")})
    for name in ("copy", "other"):
        cluster.kubernetes.delete("things", name)
        await gone(cluster, name, "team")
    assert len(cluster.coder.named("victim")) == 1


async def test_a_claimed_object_whose_spec_nobody_understands_is_let_go(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.put("one", "theirs")
    cluster.forge("one", claim=lambda thing: cluster.claims.sign(thing, "one"), color=["not", "text"])
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, namespace="team")
    assert len(cluster.coder.things) == 1


async def test_an_object_that_goes_before_it_was_claimed_is_forgotten(cluster: Cluster) -> None:
    await cluster.start()
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")
    cluster.kubernetes.delete("things", "one")
    await asyncio.sleep(1)
    assert cluster.engine._managed._teller._new == set()


# Rivals


async def test_a_rival_without_consent_is_none(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.forge("one", GUESTS, claim=lambda thing: f"{thing.uid}/one", deploymentRef=REFERENCE)
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed")
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))


async def test_who_lost_the_consent_holds_nothing(cluster: Cluster) -> None:
    thing_id = await guest_is_applied(cluster)
    cluster.connect()
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed")
    cluster.thing("one", adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.is_applied("one"))
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, namespace="team")
    assert thing_id not in cluster.coder.things


async def test_a_rival_by_way_of_a_deployment_whose_token_was_never_accepted_is_none(cluster: Cluster) -> None:
    await cluster.begin()
    fake = World("http://fake.test")
    cluster.connect("coder", GUESTS, fake)
    cluster.thing("one", GUESTS)
    await cluster.until(lambda: cluster.is_applied("one", GUESTS))
    cluster.kubernetes.put_secret("token", GUESTS, token="bad")
    cluster.connect("coder", GUESTS, cluster.coder, tokenSecretRef={"name": "missing"})
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments", GUESTS) == "SecretNotFound")
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))


async def member_declares(cluster: Cluster, **spec: Any) -> None:
    """A thing of the same name, by way of a CoderDeployment with the token of somebody who may only look there."""
    cluster.coder.tokens.add("members")
    cluster.connect("coder", GUESTS)
    cluster.kubernetes.put_secret("token", GUESTS, token="members")
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments", GUESTS) == "Connected")
    cluster.thing("one", GUESTS, **spec)


async def test_a_rival_with_a_token_that_is_no_owners_keeps_no_owner_from_making_a_thing(cluster: Cluster) -> None:
    await cluster.begin()
    forbidden = errors.Forbidden(403, "your roles do not let you create things")
    cluster.coder.fault = lambda operation: forbidden if operation == "things.create" else None
    await member_declares(cluster)
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "Forbidden")
    cluster.coder.come_back()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))


async def test_who_is_no_owner_holds_nothing_that_an_owner_adopts_or_deletes(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.put("one", "theirs")
    await member_declares(cluster, adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.is_applied("one", GUESTS))
    cluster.thing("one", adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.is_applied("one"))
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, namespace="team")
    assert cluster.coder.things == {}


async def test_who_is_no_owner_yields_to_an_owner_who_has_adopted_the_same_thing(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.put("one")
    await member_declares(cluster, adoptionPolicy="Adopt", resyncInterval="5s")
    await cluster.until(lambda: cluster.is_applied("one", GUESTS))
    cluster.thing("one", adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.is_applied("one"))
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "Conflict", within=30)
    assert cluster.is_applied("one")


# What is allowed


async def test_a_kind_that_is_not_allowed_is_refused_and_says_which_entry_it_needs(cluster: Cluster) -> None:
    await cluster.begin(allow=[{"namespaces": [GUESTS], "kinds": ["CoderGroup"]}])
    cluster.thing("one", GUESTS, deploymentRef=REFERENCE)
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed")
    assert "kinds: Thing" in cluster.condition("Ready", "one", namespace=GUESTS)["message"]
    assert calls(cluster) == []


async def test_what_a_plan_would_do_is_asked_for_before_it_is_done(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def demand(_: object, changes: Sequence[Change] = ()) -> Demand:
        return Demand("Thing", workload=any(change.path == "spec.color" for change in changes))

    monkeypatch.setattr(cluster.kind, "demand", demand)
    thing_id = await guest_is_applied(cluster)
    cluster.thing("one", GUESTS, deploymentRef=REFERENCE, color="red")
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed")
    assert cluster.coder.things[thing_id].color == ""
    cluster.connect(allow=[{"namespaces": [GUESTS], "workload": True}])
    await cluster.until(lambda: cluster.is_applied("one", GUESTS))


async def test_namespaces_are_selected_by_their_labels_as_they_are_now(cluster: Cluster) -> None:
    await cluster.begin(allow=[{"namespaceSelector": {"matchLabels": {"team": "a"}}}])
    cluster.thing("one", GUESTS, deploymentRef=REFERENCE)
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed")
    cluster.kubernetes.labels[GUESTS] = {"team": "a"}
    await cluster.until(lambda: cluster.is_applied("one", GUESTS), within=301)
    cluster.kubernetes.labels[GUESTS] = {}
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed", within=301)


async def test_an_operator_that_may_not_get_a_namespace_says_so(cluster: Cluster) -> None:
    await cluster.begin(allow=[{"namespaceSelector": {"matchLabels": {"team": "a"}}}])
    refused = KubernetesError(403, "Forbidden", "no")
    cluster.kubernetes.fault = lambda _, plural: refused if plural == "namespaces" else None
    cluster.thing("one", GUESTS, deploymentRef=REFERENCE)
    await cluster.until(lambda: cluster.reason("one", namespace=GUESTS) == "NotAllowed")
    assert "may not get namespace guests" in cluster.condition("Ready", "one", namespace=GUESTS)["message"]
