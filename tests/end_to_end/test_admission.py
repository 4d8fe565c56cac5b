"""Bad YAML is refused by the API server itself; its message names the field and the rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coder_enterprise.kinds.registry import KINDS
from tests.support.kubernetes import Namespace, Refused
from tests.support.manifests import (
    Body,
    appearance,
    deployment,
    group,
    license_,
    members,
    proxy,
    roles,
    template_acl,
    user,
    workload,
)
from tools.kubernetes.control_plane import ControlPlane

LONG = "x" * 3000
BAD_GROUPS: dict[str, tuple[Body, str]] = {
    "a quota that is text": ({"quotaAllowance": "many"}, "spec.quotaAllowance"),
    "a negative quota": ({"quotaAllowance": -1}, "spec.quotaAllowance"),
    "a quota beyond 32 bits": ({"quotaAllowance": 2**31}, "spec.quotaAllowance"),
    "a display name that is too long": ({"displayName": LONG}, "spec.displayName"),
    "a display name with space at its end": ({"displayName": "Platform "}, "spec.displayName"),
    "an avatar that is no URL": ({"avatarURL": "ftp://example.com/x.png"}, "spec.avatarURL"),
    "an avatar that is too long": ({"avatarURL": f"https://example.com/{LONG}"}, "spec.avatarURL"),
    "a name with spaces": ({"name": "platform team"}, "only an identity provider makes"),
    "a name with a line break": ({"name": "platform\nteam", "adoptionPolicy": "Adopt"}, "spec.name"),
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
    "a URL with a password": ({"url": "https://user:pass@coder.example.com"}, "must not hold a user name"),
    "a URL with a query": ({"url": "https://coder.example.com/path?x="}, "query or a fragment"),
    "a URL with a fragment": ({"url": "https://coder.example.com#x"}, "query or a fragment"),
    "no token": ({"tokenSecretRef": None}, "spec.tokenSecretRef"),
    "a token Secret that cannot be": ({"tokenSecretRef": {"name": "Not A Name"}}, "spec.tokenSecretRef.name"),
    "two CA bundles": ({"caBundle": "x", "caBundleSecretRef": {"name": "ca"}}, "exclude each other"),
    "no requests at all": ({"maxRequestsPerSecond": 0}, "spec.maxRequestsPerSecond"),
    "a namespace that cannot be": ({"allowedNamespaces": ["No Such"]}, "spec.allowedNamespaces"),
    "an entry for nobody": ({"allow": [{"kinds": ["CoderGroup"]}]}, "either namespaces or namespaceSelector"),
    "an entry for two": (
        {"allow": [{"namespaces": ["a"], "namespaceSelector": {"matchLabels": {"team": "a"}}}]},
        "either namespaces or namespaceSelector",
    ),
    "a selector of nothing": ({"allow": [{"namespaceSelector": {}}]}, "an empty selector selects nothing"),
    "a kind that is none": ({"allow": [{"namespaces": ["a"], "kinds": ["Group"]}]}, "kinds"),
    "no kind at all": ({"allow": [{"namespaces": ["a"], "kinds": []}]}, "kinds"),
    "a requirement without values": (
        {"allow": [{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In"}]}}]},
        "In and NotIn need values",
    ),
}
UUID = "91000000-0000-4000-8000-000000000000"
BAD_PROXIES: dict[str, tuple[Body, str]] = {
    "the name of the server itself": ({"name": "primary"}, "reserved by Coder"),
    "the name of the server itself in capitals": ({"name": "Primary"}, "reserved by Coder"),
    "a name that means oneself": ({"name": "me"}, "reserved by Coder"),
    "a name like an id": ({"name": UUID}, "must not look like an id"),
    "a name with spaces": ({"name": "eu west"}, "spec.name"),
    "a name that is too long": ({"name": "x" * 65}, "spec.name"),
    "no display name": ({"displayName": ""}, "spec.displayName"),
    "a display name with space at its end": ({"displayName": "EU "}, "spec.displayName"),
    "an icon that is no URL": ({"icon": "eu.png"}, "spec.icon"),
    "a Secret that cannot be": ({"tokenSecret": {"name": "Not A Name"}}, "spec.tokenSecret.name"),
    "a rotation all the time": ({"tokenSecret": {"rotateEvery": "59m"}}, "must be at least 1h"),
    "a rotation that is no duration": ({"tokenSecret": {"rotateEvery": "daily"}}, "spec.tokenSecret.rotateEvery"),
    "a workload without an address": ({"workload": {"image": "x"}}, "spec.workload.accessURL"),
    "a workload without an image": ({"workload": workload(image=None)}, "spec.workload.image"),
    "an address with a path": ({"workload": workload(accessURL="https://eu.example.com/x")}, "without a path"),
    "an address that is none": ({"workload": workload(accessURL="eu.example.com")}, "http or https URL"),
    "a wildcard without a star": ({"workload": workload(wildcardAccessURL="eu.example.com")}, "wildcardAccessURL"),
    "fewer than no replicas": ({"workload": workload(replicas=-1)}, "spec.workload.replicas"),
    "too many replicas": ({"workload": workload(replicas=101)}, "spec.workload.replicas"),
    "a resource that is none": ({"workload": workload(resources={"limits": {"gold": "1"}})}, "only cpu, memory"),
    "a quantity that is none": ({"workload": workload(resources={"limits": {"cpu": "all"}})}, "resources.limits"),
    "a quantity below zero": ({"workload": workload(resources={"limits": {"cpu": -1}})}, "resources.limits"),
    "a quantity that is true": ({"workload": workload(resources={"limits": {"cpu": True}})}, "resources.limits"),
    "root": ({"workload": workload(securityContext={"runAsUser": 0})}, "securityContext.runAsUser"),
    "the token in env": (
        {"workload": workload(env=[{"name": "CODER_PROXY_SESSION_TOKEN", "value": "x"}])},
        "leave them out of env",
    ),
    "a variable twice": ({"workload": workload(env=[{"name": "A"}, {"name": "A"}])}, "spec.workload.env"),
    "an empty command": ({"workload": workload(command=[])}, "spec.workload.command"),
}
BERLIN = "CRON_TZ=Europe/Berlin 30 2 * * *"
BAD_USERS: dict[str, tuple[Body, str]] = {
    "no e-mail": ({"email": None}, "spec.email"),
    "an e-mail without a place": ({"email": "ann"}, "spec.email"),
    "an e-mail with a space": ({"email": "a nn@example.com"}, "spec.email"),
    "a username with a dot": ({"username": "ann.a"}, "spec.username"),
    "a username that is too long": ({"username": "a" * 33}, "spec.username"),
    "a reserved username": ({"username": "me"}, "a word that Coder reserves"),
    "a username that is a page of Coder's": ({"username": "first"}, "a word that Coder reserves"),
    "a username that looks like an id": ({"username": "0" * 32}, "take this username for an id"),
    "a name with space at its end": ({"name": "Ann "}, "spec.name"),
    "a login type with passwords": ({"loginType": "password"}, "spec.loginType"),
    "a state that Coder alone decides": ({"state": "dormant"}, "spec.state"),
    "the role of everybody": ({"roles": ["member"]}, "every user is a member"),
    "a role of an organization": ({"roles": ["organization-admin:1"]}, "spec.roles"),
    "the same role twice": ({"roles": ["owner", "owner"]}, "spec.roles"),
    "quiet hours without a schedule": ({"quietHours": {}}, "spec.quietHours.schedule"),
    "quiet hours on some days": ({"quietHours": {"schedule": "0 2 * * 1"}}, "spec.quietHours.schedule"),
    "quiet hours twice a day": ({"quietHours": {"schedule": "0 2,4 * * *"}}, "spec.quietHours.schedule"),
    "quiet hours at 25": ({"quietHours": {"schedule": "0 25 * * *"}}, "spec.quietHours.schedule"),
    "quiet hours by TZ": ({"quietHours": {"schedule": "TZ=UTC 0 2 * * *"}}, "spec.quietHours.schedule"),
    "quiet hours nowhere": ({"quietHours": {"schedule": "CRON_TZ=Mars/Olympus 0 2 * * *"}}, "Mars/Olympus"),
    "quiet hours wherever the server is": ({"quietHours": {"schedule": "CRON_TZ=Local 0 2 * * *"}}, "IANA name"),
    "SCIM for another login type": ({"via": "SCIM", "loginType": "github"}, "loginType oidc only"),
    "SCIM for another organization": ({"via": "SCIM", "organization": "acme"}, "organization default only"),
    "an unknown way": ({"via": "LDAP"}, "spec.via"),
    "an unknown end": ({"onDelete": "Archive"}, "spec.onDelete"),
}


@pytest.mark.parametrize(("spec", "message"), BAD_USERS.values(), ids=BAD_USERS)
def test_a_bad_user_is_refused_by_name_of_the_field(namespace: Namespace, spec: Body, message: str) -> None:
    with pytest.raises(Refused, match=message):
        namespace.apply(user("bad", **spec))


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


BANNER: Body = {"message": "Hello", "backgroundColor": "#a32d2d"}
BAD_LICENSES: dict[str, tuple[Body, str]] = {
    "no Secret": ({"secretRef": None}, "spec.secretRef"),
    "a Secret that cannot be": ({"secretRef": {"name": "Not A Name"}}, "spec.secretRef.name"),
    "a key that cannot be": ({"secretRef": {"name": "licence", "key": "a/b"}}, "spec.secretRef.key"),
    "a retireOld that is text": ({"retireOld": "yes"}, "spec.retireOld"),
}
BAD_APPEARANCES: dict[str, tuple[Body, str]] = {
    "a name that is too long": ({"applicationName": LONG}, "spec.applicationName"),
    "a logo that is no URL": ({"logoURL": "ftp://example.com/x.png"}, "spec.logoURL"),
    "both kinds of banners": ({"serviceBanner": BANNER, "announcementBanners": [BANNER]}, "exclude each other"),
    "a banner without a message": ({"serviceBanner": {"backgroundColor": "#a32d2d"}}, "needs message"),
    "a banner without a colour": ({"serviceBanner": {"message": "Hello"}}, "needs message and backgroundColor"),
    "a colour that is none": ({"serviceBanner": {**BANNER, "backgroundColor": "red"}}, "backgroundColor"),
    "an announcement without a message": ({"announcementBanners": [{"backgroundColor": "#a32d2d"}]}, "message"),
    "an announcement without a colour": ({"announcementBanners": [{"message": "Hello"}]}, "backgroundColor"),
    "a time that is none": ({"announcementBanners": [{**BANNER, "startsAt": "tomorrow"}]}, "startsAt"),
    "an end before the start": (
        {"announcementBanners": [{**BANNER, "startsAt": "2027-01-02T00:00:00Z", "endsAt": "2027-01-01T00:00:00Z"}]},
        "startsAt must be before endsAt",
    ),
    "too many banners": ({"announcementBanners": [BANNER] * 17}, "spec.announcementBanners"),
    "more text than Coder keeps": ({"announcementBanners": [{**BANNER, "message": "x" * 1000}] * 7}, "6000 characters"),
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


@pytest.mark.parametrize(("spec", "message"), BAD_LICENSES.values(), ids=BAD_LICENSES)
def test_a_bad_licence_is_refused_by_name_of_the_field(namespace: Namespace, spec: Body, message: str) -> None:
    with pytest.raises(Refused, match=message):
        namespace.apply(license_(**spec))


@pytest.mark.parametrize(("spec", "message"), BAD_APPEARANCES.values(), ids=BAD_APPEARANCES)
def test_a_bad_appearance_is_refused_by_name_of_the_field(namespace: Namespace, spec: Body, message: str) -> None:
    with pytest.raises(Refused, match=message):
        namespace.apply(appearance(**spec))


def test_a_banner_that_is_off_needs_no_message(namespace: Namespace) -> None:
    namespace.apply(appearance(serviceBanner={"enabled": False}))


@pytest.mark.parametrize(("spec", "message"), BAD_PROXIES.values(), ids=BAD_PROXIES)
def test_a_bad_proxy_is_refused_by_name_of_the_field(namespace: Namespace, spec: Body, message: str) -> None:
    with pytest.raises(Refused, match=message):
        namespace.apply(proxy("bad", **spec))


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
