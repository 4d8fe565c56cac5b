"""Bad YAML is refused by the API server itself; its message names the field and the rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coder_enterprise.kinds.registry import KINDS
from tests.support.invalid import INVALID, UUID
from tests.support.kubernetes import Namespace, Refused
from tests.support.manifests import (
    Body,
    appearance,
    group,
    proxy,
    user,
    workload,
)
from tools.kubernetes.control_plane import ControlPlane

BERLIN = "CRON_TZ=Europe/Berlin 30 2 * * *"


@pytest.mark.parametrize(("body", "message"), INVALID.values(), ids=INVALID)
def test_bad_yaml_is_refused_by_name_of_the_field(namespace: Namespace, body: Body, message: str) -> None:
    with pytest.raises(Refused, match=message):
        namespace.apply(body)


@pytest.mark.parametrize(
    "schedule", [BERLIN, "0 2 * * *", "CRON_TZ=UTC  00  02  *  *  *", "CRON_TZ=Etc/GMT+3 0 2 * * *"]
)
def test_a_schedule_in_any_spelling_is_accepted(namespace: Namespace, schedule: str) -> None:
    namespace.apply(user("ann", quietHours={"schedule": schedule}))


@pytest.mark.parametrize("name", ["with.dots", "me", "first", "0" * 32, "a" * 33])
def test_a_name_of_the_object_that_no_user_can_have_needs_a_username(namespace: Namespace, name: str) -> None:
    with pytest.raises(Refused, match=r"set spec\.username"):
        namespace.apply(user(name))
    namespace.apply(user(name, username="ann"))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({}, {"email": "other@example.com"}, "Coder never changes an e-mail"),
        ({"loginType": "oidc"}, {"loginType": "none"}, "loginType cannot change"),
        ({}, {"organization": "acme"}, "organization cannot change"),
    ],
)
def test_what_coder_never_changes_in_a_user_cannot_change(
    namespace: Namespace, first: Body, second: Body, message: str
) -> None:
    namespace.apply(user("ann", **first))
    with pytest.raises(Refused, match=message):
        namespace.apply(user("ann", **second))


def test_a_banner_that_is_off_needs_no_message(namespace: Namespace) -> None:
    namespace.apply(appearance(serviceBanner={"enabled": False}))


@pytest.mark.parametrize("name", ["primary", "me", "eu.west", "x" * 65, UUID])
def test_a_proxy_whose_name_coder_cannot_have_needs_a_name_in_spec(namespace: Namespace, name: str) -> None:
    with pytest.raises(Refused, match=r"set spec\.name"):
        namespace.apply(proxy(name))
    namespace.apply(proxy(name, name="eu"))


def test_quantities_are_written_as_in_a_pod(namespace: Namespace) -> None:
    quantities = {"cpu": 2, "memory": "1.5Gi", "ephemeral-storage": "1e9"}
    namespace.apply(proxy("eu", workload=workload(resources={"requests": {"cpu": "100u"}, "limits": quantities})))


def test_a_workload_needs_an_object_whose_name_fits_into_a_label(namespace: Namespace) -> None:
    with pytest.raises(Refused, match="at most 55 characters"):
        namespace.apply(proxy("x" * 56, workload=workload()))
    namespace.apply(proxy("x" * 55, workload=workload()))


def test_a_name_of_the_object_that_coder_cannot_have_needs_a_name_in_spec(namespace: Namespace) -> None:
    with pytest.raises(Refused, match=r"set spec\.name"):
        namespace.apply(group("dots.are.not.allowed"))
    namespace.apply(group("dots.are.not.allowed", name="dots"))


@pytest.mark.parametrize("name", ["Plattform Größe", "corp/platform", "team.a", "CN=admins,OU=groups"])
@pytest.mark.parametrize("policy", [{"adoptionPolicy": "Adopt"}, {"managementPolicy": "Observe"}])
def test_a_group_of_an_identity_provider_can_be_named_to_be_adopted(
    namespace: Namespace, name: str, policy: Body
) -> None:
    namespace.apply(group("idp", name=name, **policy))


def test_a_misspelt_field_is_reported_by_kubectl(namespace: Namespace) -> None:
    text = """
apiVersion: enterprise.coder.com/v1alpha1
kind: CoderGroup
metadata: {name: misspelt}
spec: {displayname: Platform}
"""
    answer = namespace.plane.kubectl("apply", "-n", namespace.name, "-f", "-", input=text, check=False)
    assert answer.returncode != 0
    assert "spec.displayname" in answer.stderr


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        ({"organization": "one"}, {"organization": "two"}, "organization"),
        ({}, {"organization": "two"}, "organization"),
        ({"deploymentRef": {"name": "one"}}, {"deploymentRef": {"name": "two"}}, "deploymentRef"),
        ({}, {"deploymentRef": {"name": "two"}}, "deploymentRef"),
    ],
)
def test_what_an_object_belongs_to_cannot_change(namespace: Namespace, first: Body, second: Body, field: str) -> None:
    namespace.apply(group("platform", **first))
    with pytest.raises(Refused, match=f"{field} cannot change"):
        namespace.apply(group("platform", **second))


def test_an_object_that_nobody_has_visited_does_not_look_done(namespace: Namespace) -> None:
    namespace.apply(group("platform"))
    assert namespace.status("CoderGroup", "platform")["observedGeneration"] == -1
    ready = namespace.condition("CoderGroup", "platform")
    assert (ready["status"], ready["reason"]) == ("Unknown", "Pending")


def test_every_example_is_accepted(namespace: Namespace) -> None:
    examples = Path(__file__).parents[2] / "deploy" / "examples"
    answer = namespace.plane.kubectl("apply", "-n", namespace.name, "--dry-run=server", "-R", "-f", str(examples))
    assert "error" not in answer.stdout + answer.stderr


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names.kind)
def test_kubectl_explains_what_a_kind_and_its_spec_are(control_plane: ControlPlane, kind: Any) -> None:
    root = kind.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, part in ((kind.names.plural, root), (f"{kind.names.plural}.spec", root["properties"]["spec"])):
        told = " ".join(control_plane.kubectl("explain", path).stdout.split())
        assert part["description"] in told
