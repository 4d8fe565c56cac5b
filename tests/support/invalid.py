"""Specs that the API server refuses, of each kind, and what it says of them: a field, or a rule's message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

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
    "a suspendUntil that is no time": ({"suspendUntil": "tomorrow"}, "spec.suspendUntil"),
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
    "a login type that Coder has not": ({"loginType": "saml"}, "spec.loginType"),
    "a first password for a login without one": (
        {"loginType": "oidc", "passwordSecretRef": {"name": "a"}},
        "passwordSecretRef is for users with loginType password",
    ),
    "a first password for the default login": ({"passwordSecretRef": {"name": "a"}}, "passwordSecretRef is for users"),
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

_MADE_BY: Final[dict[str, tuple[Callable[[Body], Body], dict[str, tuple[Body, str]]]]] = {
    "group": (lambda spec: group("bad", **spec), BAD_GROUPS),
    "deployment": (lambda spec: _with(deployment("https://coder.example.com"), spec), BAD_DEPLOYMENTS),
    "proxy": (lambda spec: proxy("bad", **spec), BAD_PROXIES),
    "user": (lambda spec: user("bad", **spec), BAD_USERS),
    "licence": (lambda spec: license_(**spec), BAD_LICENSES),
    "appearance": (lambda spec: appearance(**spec), BAD_APPEARANCES),
    "acl": (lambda spec: template_acl("bad", **spec), BAD_ACLS),
}


def _with(body: Body, spec: Body) -> Body:
    return {**body, "spec": {**body["spec"], **spec}}


INVALID: Final[dict[str, tuple[Body, str]]] = {
    f"{kind}: {why}": (make(spec), message)
    for kind, (make, table) in _MADE_BY.items()
    for why, (spec, message) in table.items()
}
"""By kind and fault: the object, and a pattern for what is said of it."""
