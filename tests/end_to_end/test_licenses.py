"""CoderLicense from a Secret to Coder and back: a real API server, a real Kubernetes, a real operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coder_enterprise.server.services.license_tokens import payload_of, sign
from tests.support.kubernetes import Namespace
from tests.support.manifests import group, license_, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import DAY, KEY_ID, CoderServer, license_for_tests

BOTH_PROFILES: Final = pytest.mark.parametrize("server", ["documented", "codersdk"], indirect=True)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    """Without a licence; in place of the one that all other tests use."""
    with CoderServer(licensed=False, profile=getattr(request, "param", "documented")) as process:
        yield process
        print(process.log.read_text()[-4000:])


def uuid_of(token: str) -> str:
    return str(payload_of(token)["jti"])


def uuids(coder: CoderAPI) -> list[str]:
    return [item["uuid"] for item in coder.licenses()]


def licensed(namespace: Namespace, token: str, **spec: Any) -> None:
    """With that licence, applied."""
    namespace.apply(secret("licence", license=token), license_(**spec))
    namespace.wait_for("CoderLicense", "licence", "Applied")


def replace(namespace: Namespace, token: str) -> None:
    """The licence in the Secret; until that is the object's."""
    namespace.patch("Secret", "licence", {"stringData": {"license": token}})
    wait_until(
        lambda: namespace.status("CoderLicense", "licence").get("uuid") == uuid_of(token), "the new licence is recorded"
    )


@BOTH_PROFILES
def test_a_licence_in_a_secret_makes_a_waiting_group_ready(
    connected: Namespace, coder: CoderAPI, operator: OperatorProcess
) -> None:
    token = license_for_tests()
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "NotEntitled")
    licensed(connected, token)
    connected.wait_for("CoderGroup", "platform", "Applied")
    [uploaded] = coder.licenses()
    status = connected.status("CoderLicense", "licence")
    shown = {name: status[name] for name in ("id", "uuid", "daysLeft", "trial", "features")}
    assert shown == {
        "id": str(uploaded["id"]),
        "uuid": uuid_of(token),
        "daysLeft": 365,
        "trial": False,
        "features": {"all_features": 1, "user_limit": 100_000},
    }
    assert connected.condition("CoderLicense", "licence", "Valid")["reason"] == "Valid"
    figure = f'coder_enterprise_license_days_left{{deployment="{connected.name}/coder"}} 365.0'
    wait_until(lambda: figure in operator.metrics(), "the days left are a metric")
    said = json.dumps([*connected.all("CoderLicense"), *connected.all("Event")]) + operator.text()
    assert not [part for part in token.split(".")[1:] if part in said]


@BOTH_PROFILES
def test_a_new_licence_in_the_secret_replaces_the_old_one(connected: Namespace, coder: CoderAPI) -> None:
    old, new = license_for_tests(), license_for_tests()
    licensed(connected, old)
    replace(connected, new)
    assert uuids(coder) == [uuid_of(new)]
    assert "DriftCorrected" not in [event["reason"] for event in connected.events("licence")]


def test_the_old_licence_may_stay(connected: Namespace, coder: CoderAPI) -> None:
    old, new = license_for_tests(), license_for_tests()
    licensed(connected, old, retireOld=False)
    replace(connected, new)
    assert uuids(coder) == [uuid_of(old), uuid_of(new)]
    connected.delete("CoderLicense", "licence")
    connected.wait_until_gone("CoderLicense", "licence")
    assert uuids(coder) == [uuid_of(old)]


def test_the_old_licence_stays_until_the_new_one_begins(connected: Namespace, coder: CoderAPI) -> None:
    old = license_for_tests()
    early = license_for_tests(nbf=payload_of(old)["license_expires"] - DAY)
    licensed(connected, old)
    replace(connected, early)
    connected.wait_for("CoderLicense", "licence", "NotYetValid", type_="Valid")
    assert uuids(coder) == [uuid_of(old), uuid_of(early)]
    connected.delete("CoderLicense", "licence")
    connected.wait_until_gone("CoderLicense", "licence")
    assert uuids(coder) == []


def test_a_licence_that_expires_soon_is_warned_of_until_it_is_replaced(connected: Namespace) -> None:
    old = license_for_tests()
    licensed(connected, license_for_tests(license_expires=payload_of(old)["license_expires"] - 340 * DAY))
    warning = connected.wait_for("CoderLicense", "licence", "ExpiresSoon", type_="Valid")
    assert "spec.secretRef" in warning["message"]
    assert connected.status("CoderLicense", "licence")["daysLeft"] == 25
    assert connected.wait_for_event("licence", "ExpiresSoon")["type"] == "Warning"
    replace(connected, old)
    assert connected.condition("CoderLicense", "licence", "Valid")["reason"] == "Valid"


def test_a_licence_in_its_grace_period_is_warned_of(connected: Namespace) -> None:
    token = license_for_tests()
    licensed(connected, license_for_tests(license_expires=payload_of(token)["license_expires"] - 370 * DAY))
    assert connected.wait_for("CoderLicense", "licence", "GracePeriod", type_="Valid")["status"] == "True"
    assert connected.status("CoderLicense", "licence")["daysLeft"] == 0
    connected.wait_for_event("licence", "GracePeriod")


@BOTH_PROFILES
def test_a_licence_that_was_uploaded_by_hand_is_adopted_only_if_asked(connected: Namespace, coder: CoderAPI) -> None:
    token = license_for_tests()
    theirs = coder.add_license(token)
    connected.apply(secret("licence", license=token), license_())
    refused = connected.wait_for("CoderLicense", "licence", "AlreadyExists")
    assert "adoptionPolicy" in refused["message"]
    connected.apply(license_(adoptionPolicy="AdoptIfIdentical"))
    connected.wait_for("CoderLicense", "licence", "Applied")
    assert connected.status("CoderLicense", "licence")["id"] == str(theirs["id"])
    assert len(coder.licenses()) == 1


def test_a_licence_that_is_already_there_may_become_the_new_one(connected: Namespace, coder: CoderAPI) -> None:
    old, new = license_for_tests(), license_for_tests()
    licensed(connected, old, adoptionPolicy="AdoptIfIdentical")
    coder.add_license(new)
    replace(connected, new)
    wait_until(lambda: uuids(coder) == [uuid_of(new)], "the old licence is removed")


def test_what_the_secret_lacks_is_said_and_its_arrival_noticed(connected: Namespace) -> None:
    connected.apply(license_())
    assert f"{connected.name}/licence" in connected.wait_for("CoderLicense", "licence", "SecretNotFound")["message"]
    connected.apply(secret("licence", other="x"))
    assert "the key license" in connected.wait_for("CoderLicense", "licence", "SecretKeyMissing")["message"]
    connected.apply(secret("licence", license="canary-of-a-secret"))
    invalid = connected.wait_for("CoderLicense", "licence", "InvalidLicense")
    assert "no JWT" in invalid["message"]
    assert connected.condition("CoderLicense", "licence", "Stalled")["status"] == "True"
    assert "canary-of-a-secret" not in json.dumps([*connected.all("CoderLicense"), *connected.all("Event")])
    licensed(connected, license_for_tests())


def test_what_coder_refuses_is_said_in_its_words(connected: Namespace, coder: CoderAPI) -> None:
    forged = sign(payload_of(license_for_tests()), Ed25519PrivateKey.generate(), KEY_ID)
    connected.apply(secret("licence", license=forged), license_())
    refused = connected.wait_for("CoderLicense", "licence", "Refused")
    assert "signature" in refused["message"]
    assert coder.licenses() == []
    licensed(connected, license_for_tests())


def test_a_refused_licence_leaves_the_old_one(connected: Namespace, coder: CoderAPI) -> None:
    old = license_for_tests()
    licensed(connected, old)
    forged = sign(payload_of(license_for_tests()), Ed25519PrivateKey.generate(), KEY_ID)
    connected.patch("Secret", "licence", {"stringData": {"license": forged}})
    connected.wait_for("CoderLicense", "licence", "Refused")
    assert uuids(coder) == [uuid_of(old)]
    connected.delete("CoderLicense", "licence")
    connected.wait_until_gone("CoderLicense", "licence")
    assert coder.licenses() == []


def test_deleting_the_object_removes_the_licence_and_who_needs_it_says_so(
    connected: Namespace, coder: CoderAPI
) -> None:
    licensed(connected, license_for_tests())
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    connected.delete("Secret", "licence")
    connected.delete("CoderLicense", "licence")
    connected.wait_until_gone("CoderLicense", "licence")
    assert coder.licenses() == []
    connected.wait_for("CoderGroup", "platform", "NotEntitled")


def test_retain_leaves_the_licence(connected: Namespace, coder: CoderAPI) -> None:
    licensed(connected, license_for_tests(), deletionPolicy="Retain")
    connected.delete("CoderLicense", "licence")
    connected.wait_until_gone("CoderLicense", "licence")
    assert len(coder.licenses()) == 1


def test_of_two_objects_for_one_licence_the_oldest_wins(connected: Namespace, coder: CoderAPI) -> None:
    token = license_for_tests()
    licensed(connected, token)
    connected.apply(secret("same", license=token), license_("second", secret_name="same", adoptionPolicy="Adopt"))
    connected.wait_for("CoderLicense", "second", "Conflict")
    connected.apply(secret("other", license=license_for_tests()), license_("third", secret_name="other"))
    connected.wait_for("CoderLicense", "third", "Applied")
    assert len(coder.licenses()) == 2


def test_a_licence_that_was_removed_by_hand_comes_back_and_that_is_said(connected: Namespace, coder: CoderAPI) -> None:
    token = license_for_tests()
    licensed(connected, token)
    coder.delete_license(coder.licenses()[0]["id"])
    connected.annotate("CoderLicense", "licence", reconcile_requested_at=str(uuid4()))
    wait_until(lambda: uuids(coder) == [uuid_of(token)], "the licence is back")
    connected.wait_for_event("licence", "DriftCorrected")


def test_plan_shows_what_would_be_done_and_uploads_nothing(connected: Namespace, coder: CoderAPI) -> None:
    token = license_for_tests()
    connected.apply(secret("licence", license=token), license_(managementPolicy="Plan"))
    connected.wait_for("CoderLicense", "licence", "Planned")
    [change] = connected.status("CoderLicense", "licence")["pendingChanges"]
    assert (change["path"], uuid_of(token) in change["to"]) == ("spec.secretRef", True)
    assert coder.licenses() == []


def test_at_rest_nothing_is_written(connected: Namespace) -> None:
    licensed(connected, license_for_tests())
    before = len(connected.writes())
    connected.annotate("CoderLicense", "licence", reconcile_requested_at="now")
    wait_until(
        lambda: connected.status("CoderLicense", "licence").get("lastHandledReconcileAt") == "now",
        "the request is acknowledged",
    )
    written = [entry["objectRef"] for entry in connected.writes()[before:]]
    assert [item["resource"] for item in written if item["resource"] == "coderlicenses"] == ["coderlicenses"]
