"""Bad YAML is refused by the API server itself; its message names the field and the rule."""

from __future__ import annotations

import pytest

from tests.support.kubernetes import Namespace, Refused
from tests.support.manifests import Body, deployment, group, members, roles, template_acl

LONG = "x" * 3000
BAD_GROUPS: dict[str, tuple[Body, str]] = {
    "a quota that is text": ({"quotaAllowance": "many"}, "spec.quotaAllowance"),
    "a negative quota": ({"quotaAllowance": -1}, "spec.quotaAllowance"),
    "a quota beyond 32 bits": ({"quotaAllowance": 2**31}, "spec.quotaAllowance"),
    "a display name that is too long": ({"displayName": LONG}, "spec.displayName"),
    "a display name with space at its end": ({"displayName": "Platform "}, "spec.displayName"),
    "an avatar that is no URL": ({"avatarURL": "ftp://example.com/x.png"}, "spec.avatarURL"),
    "an avatar that is too long": ({"avatarURL": f"https://example.com/{LONG}"}, "spec.avatarURL"),
    "a name with spaces": ({"name": "platform team"}, "spec.name"),
    "a reserved name": ({"name": "new"}, "reserved by Coder"),
    "an unknown management policy": ({"managementPolicy": "Watch"}, "spec.managementPolicy"),
    "an unknown adoption policy": ({"adoptionPolicy": "Always"}, "spec.adoptionPolicy"),
    "an unknown deletion policy": ({"deletionPolicy": "Keep"}, "spec.deletionPolicy"),
    "an unknown member mode": ({"members": members("ann", mode="Some")}, "spec.members.mode"),
    "a member that is too long": ({"members": members(LONG)}, "spec.members.users"),
    "the same member twice": ({"members": members("ann", "ann")}, "spec.members.users"),
    "too many members": ({"members": members(*(f"user-{n}" for n in range(2001)))}, "spec.members.users"),
    "users although they are unmanaged": ({"members": members("ann", mode="Unmanaged")}, "users must be empty"),
    "members of Everyone": ({"name": "Everyone", "members": members("ann")}, "members of Everyone"),
    "a display name of Everyone": ({"name": "Everyone", "displayName": "All"}, "Everyone cannot have a display name"),
    "a suspend that is text": ({"suspend": "yes"}, "spec.suspend"),
    "a resync interval that is no duration": ({"resyncInterval": "soon"}, "spec.resyncInterval"),
    "a deployment in a namespace that cannot be": ({"deploymentRef": {"namespace": "No_Such"}}, "spec.deploymentRef"),
}
BAD_DEPLOYMENTS: dict[str, tuple[Body, str]] = {
    "a URL without a scheme": ({"url": "coder.example.com"}, "url must be an http or https URL"),
    "a URL of another scheme": ({"url": "ftp://coder.example.com"}, "url must be an http or https URL"),
    "a URL without a host": ({"url": "https://"}, "url must be an http or https URL"),
    "a URL that is too long": ({"url": f"https://example.com/{LONG}"}, "spec.url"),
    "no token": ({"tokenSecretRef": None}, "spec.tokenSecretRef"),
    "a token Secret that cannot be": ({"tokenSecretRef": {"name": "Not A Name"}}, "spec.tokenSecretRef.name"),
    "two CA bundles": ({"caBundle": "x", "caBundleSecretRef": {"name": "ca"}}, "exclude each other"),
    "no requests at all": ({"maxRequestsPerSecond": 0}, "spec.maxRequestsPerSecond"),
    "a namespace that cannot be": ({"allowedNamespaces": ["No Such"]}, "spec.allowedNamespaces"),
}
BY_REFERENCE: Body = {"groupRef": {"name": "data"}, "role": "use"}
BAD_ACLS: dict[str, tuple[Body, str]] = {
    "no template": ({"template": None}, "spec.template"),
    "a template without a name": ({"template": {"organization": "coder"}}, "either a name or an id"),
    "a template by name and by id": ({"template": {"name": "x", "id": f"{0:08}-0000-0000-0000-{0:012}"}}, "either"),
    "an id with an organization": (
        {"template": {"organization": "coder", "id": f"{0:08}-0000-0000-0000-{0:012}"}},
        "leave organization out",
    ),
    "an id that is none": ({"template": {"id": "docker"}}, "spec.template.id"),
    "an unknown role": ({"users": roles(ann="owner")}, r"spec\.users\[0\]\.role"),
    "a user without a role": ({"users": [{"user": "ann"}]}, r"spec\.users\[0\]\.role"),
    "the same user twice": ({"users": [*roles(ann="use"), *roles(ann="admin")]}, r"spec\.users\[1\]"),
    "too many users": ({"users": roles(**{f"user-{n}": "use" for n in range(501)})}, "spec.users"),
    "a group without a name": ({"groups": [{"role": "use"}]}, "either a name or a groupRef"),
    "a group by name and by reference": ({"groups": [BY_REFERENCE | {"name": "data"}]}, "either a name or a groupRef"),
    "Everyone among the groups": ({"groups": [{"name": "Everyone", "role": "use"}]}, "spec.everyone"),
    "the same group twice": ({"groups": [{"name": "data", "role": role} for role in ("use", "admin")]}, "named twice"),
    "the same CoderGroup twice": ({"groups": [BY_REFERENCE, BY_REFERENCE]}, "named twice"),
    "too many groups": ({"groups": [{"name": f"group-{n}", "role": "use"} for n in range(101)]}, "spec.groups"),
    "an unknown role of Everyone": ({"everyone": "admin"}, "spec.everyone"),
    "an unknown mode": ({"mode": "Unmanaged"}, "spec.mode"),
}


@pytest.mark.parametrize(("spec", "message"), BAD_GROUPS.values(), ids=BAD_GROUPS)
def test_a_bad_group_is_refused_by_name_of_the_field(namespace: Namespace, spec: Body, message: str) -> None:
    with pytest.raises(Refused, match=message):
        namespace.apply(group("bad", **spec))


@pytest.mark.parametrize(("spec", "message"), BAD_ACLS.values(), ids=BAD_ACLS)
def test_a_bad_acl_is_refused_by_name_of_the_field(namespace: Namespace, spec: Body, message: str) -> None:
    with pytest.raises(Refused, match=message):
        namespace.apply(template_acl("bad", **spec))


@pytest.mark.parametrize(("spec", "message"), BAD_DEPLOYMENTS.values(), ids=BAD_DEPLOYMENTS)
def test_a_bad_deployment_is_refused_by_name_of_the_field(namespace: Namespace, spec: Body, message: str) -> None:
    body = deployment("https://coder.example.com")
    body["spec"] |= spec
    with pytest.raises(Refused, match=message):
        namespace.apply(body)


def test_a_name_of_the_object_that_coder_cannot_have_needs_a_name_in_spec(namespace: Namespace) -> None:
    with pytest.raises(Refused, match=r"set spec\.name"):
        namespace.apply(group("dots.are.not.allowed"))
    namespace.apply(group("dots.are.not.allowed", name="dots"))


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
    assert namespace.condition("CoderGroup", "platform")["status"] == "Unknown"
