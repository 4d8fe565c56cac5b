"""CoderDeployment: how to reach one Coder, and how that Coder is.

The page a person looks at first. Its probe asks the server about itself and turns each answer, also the bad ones,
into a condition; it never writes to Coder.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import Field
from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.kinds import durations, secret_text
from coder_enterprise.kinds.base import ConnectionKind, DomainCondition, Figure, Probe, SecretKeyRef, stalled
from coder_enterprise.kinds.common import (
    AGE_COLUMNS,
    MAX_LEFT_BEHIND,
    READY_COLUMNS,
    STATUS_DEFAULT,
    BaseSpec,
    BaseStatus,
    ObjectName,
    SecretKey,
)
from coder_enterprise.kinds.consent import MAX_ALLOWANCES, MAX_NAMESPACES, Allowance, NamespaceName
from coder_enterprise.kinds.coverage import cover_ends
from coder_enterprise.kinds.crd import Column, custom_resource_definition
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Names
from coder_enterprise.kinds.schema import Cel, KindModel, ListMap, ListSet

T = TypeVar("T")

NO_CREDENTIALS: Final = "must not hold a user name or a password: the token belongs into a Secret"
NO_QUERY: Final = "must not have a query or a fragment"

DEFAULT_RESYNC: Final = 300.0
SECONDS_PER_DAY: Final = 86_400
MAX_URL: Final = 2048
MAX_VERSION: Final = 128
MAX_NAME: Final = 255
MAX_ROLES: Final = 64
MAX_FEATURES: Final = 128
MAX_ORGANIZATIONS: Final = 64
"""Whose provisioner daemons are counted: a request for each, every minute."""
MAX_REPLICAS: Final = 128
MAX_ERROR: Final = 1024
DAEMON_SILENT_AFTER: Final = 90.0
"""Seconds without a heartbeat after which Coder itself calls a provisioner daemon offline."""

LICENSE_DAYS_LEFT: Final = Figure(
    "license_days_left",
    "Days until what the licences of a deployment cover now ends; 0 in grace and after it.",
)
LICENSE_EXPIRY: Final = Figure(
    "license_expiry_timestamp_seconds", "When what the licences of a deployment cover now ends."
)
CREDENTIAL_EXPIRY: Final = Figure(
    "credential_expiry_timestamp_seconds", "When the operator's session token of a deployment expires."
)
REPLICAS: Final = Figure("coder_replicas", "Replicas of Coder.")
REPLICAS_HEALTHY: Final = Figure("coder_replicas_healthy", "Replicas of Coder without an error.")
PROXIES: Final = Figure("coder_proxies", "Workspace proxies of Coder.")
PROXIES_HEALTHY: Final = Figure("coder_proxies_healthy", "Workspace proxies that Coder finds healthy.")
FIGURES: Final = (
    LICENSE_DAYS_LEFT,
    LICENSE_EXPIRY,
    CREDENTIAL_EXPIRY,
    REPLICAS,
    REPLICAS_HEALTHY,
    PROXIES,
    PROXIES_HEALTHY,
)


class TokenSecretRef(KindModel):
    name: ObjectName
    """Name of a Secret in the same namespace."""
    key: SecretKey = "token"
    """Its key that holds a Coder session token. Default: token."""


class CABundleSecretRef(KindModel):
    name: ObjectName
    """Name of a Secret in the same namespace."""
    key: SecretKey = "ca.crt"
    """Its key that holds PEM certificates. Default: ca.crt."""


class SCIMSecretRef(KindModel):
    name: ObjectName
    """Name of a Secret in the same namespace."""
    key: SecretKey = "scim"
    """Its key that holds what CODER_SCIM_AUTH_HEADER says on the server. Default: scim."""


class DeploymentSpec(BaseSpec):
    url: Annotated[
        str,
        Field(min_length=8, max_length=MAX_URL),
        Cel(
            "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",
            "url must be an http or https URL with a host, such as https://coder.example.com",
        ),
        Cel("!self.contains('@')", f"url {NO_CREDENTIALS}"),
        Cel("!self.contains('?') && !self.contains('#')", f"url {NO_QUERY}"),
    ]
    """Coder's access URL, without credentials, query, fragment, or a path below it such as /api/v2."""
    token_secret_ref: TokenSecretRef
    """A session token for Coder, of a user with the role owner. The Secret must have the label
    enterprise.coder.com/watch: "true", with which it is read again within seconds when it changes, or the type
    enterprise.coder.com/token, with which it is at each resync: no other is sent anywhere."""
    ca_bundle: Annotated[str, Field(max_length=65_536)] | None = None
    """PEM certificates that sign the server's, in place of the system's."""
    ca_bundle_secret_ref: CABundleSecretRef | None = None
    """The same from a Secret."""
    scim_secret_ref: SCIMSecretRef | None = None
    """What opens SCIM on the server, in a Secret with the same label or type. Needed only for users who are to be made
    and suspended that way."""
    allowed_namespaces: Annotated[tuple[NamespaceName, ...], Field(max_length=MAX_NAMESPACES), ListSet()] | None = None
    """Other namespaces whose objects may refer to this deployment; "*" is all. Short for an entry of allow with nothing
    but namespaces. Default: none."""
    allow: Annotated[tuple[Allowance, ...], Field(max_length=MAX_ALLOWANCES)] | None = None
    """What objects of other namespaces may do here. One entry must allow all that an object asks for. Objects of the
    deployment's own namespace may do everything. Default: nothing."""
    max_requests_per_second: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Upper limit of requests to this server. Default: none, but for 16 requests at a time and Retry-After."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!(has(self.caBundle) && has(self.caBundleSecretRef))",
            "caBundle and caBundleSecretRef exclude each other",
            field_path=".caBundle",
        ),
    )


class Identity(KindModel):
    url: Annotated[str, Field(max_length=MAX_URL)] | None = None
    """Where the token was accepted last."""
    username: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    roles: Annotated[tuple[Annotated[str, Field(max_length=MAX_NAME)], ...], Field(max_length=MAX_ROLES)] | None = None


class LicenseSummary(KindModel):
    valid: bool | None = None
    expires_at: datetime | None = None
    """When the first of the features that are licensed now is not any more, grace periods aside; licences that follow
    without a gap count."""
    days_left: int | None = None


class ReplicaSummary(KindModel):
    hostname: Annotated[str, Field(max_length=MAX_NAME)]
    region: int | None = None
    error: Annotated[str, Field(max_length=MAX_ERROR)] | None = None


class LeftBehind(KindModel):
    id: Annotated[str, Field(max_length=MAX_NAME)]
    """In Coder."""
    at: datetime
    """When the object was deleted."""


class Counts(KindModel):
    total: int = 0
    ready: int = 0


class DeploymentStatus(BaseStatus):
    version: Annotated[str, Field(max_length=MAX_VERSION)] | None = None
    """Coder's version."""
    wire_profile: Annotated[str, Field(max_length=32)] | None = None
    """documented or codersdk: which of the two shapes of lists the server sends."""
    identity: Identity | None = None
    """Whose token it is."""
    license: LicenseSummary | None = None
    features: Annotated[dict[str, bool], Field(max_length=MAX_FEATURES)] | None = None
    """Which features are enabled."""
    replicas: Annotated[list[ReplicaSummary], Field(max_length=MAX_REPLICAS), ListMap("hostname")] | None = None
    replicas_healthy: Annotated[str, Field(max_length=16)] | None = None
    """Healthy and all, such as 2/3."""
    provisioner_daemons: int | None = None
    """How many were seen within the last 90 seconds."""
    proxies_healthy: Annotated[str, Field(max_length=16)] | None = None
    """Healthy and all workspace proxies, such as 1/2."""
    managed_objects: Counts | None = None
    """Objects that refer to this deployment."""
    left_behind: Annotated[dict[str, LeftBehind], Field(max_length=MAX_LEFT_BEHIND)] | None = None
    """Whom the deletion of a CoderUser suspended, by kind, namespace and name of the object: one of the same name that
    comes back lets them in again."""
    circuit: Annotated[str, Field(max_length=16)] | None = None
    """Closed: objects are reconciled; Open: they wait until the deployment answers again."""


NOT_KNOWN: Final[Mapping[str, Any]] = dict.fromkeys(
    ("license", "features", "replicas", "replicasHealthy", "provisionerDaemons", "proxiesHealthy")
)
"""Status fields that are cleared while Coder does not tell them."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A part of the probe: its condition, its status fields, its metrics."""

    condition: DomainCondition | None
    fields: Mapping[str, Any]
    figures: Mapping[Figure, float] = field(default_factory=dict)


class DeploymentKind(ConnectionKind[DeploymentSpec]):
    names = Names("CoderDeployment", "coderdeployments", "coderdeployment", "coderdep")
    spec_model = DeploymentSpec
    crd = custom_resource_definition(
        names=names,
        spec=DeploymentSpec,
        status=DeploymentStatus,
        status_default=dict(STATUS_DEFAULT),
        description="How to reach one Coder deployment, and how that deployment is.",
        columns=(
            *READY_COLUMNS,
            Column("Version", ".status.version"),
            Column("Replicas", ".status.replicasHealthy"),
            Column("Licence days", ".status.license.daysLeft", type="integer"),
            Column("URL", ".spec.url", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def secrets(self, spec: DeploymentSpec) -> tuple[SecretKeyRef, ...]:
        refs = (spec.token_secret_ref, spec.ca_bundle_secret_ref, spec.scim_secret_ref)
        return tuple(_key_ref(ref) for ref in refs if ref is not None)

    @override
    def settings(self, spec: DeploymentSpec, values: Mapping[SecretKeyRef, str]) -> ConnectionSettings:
        _require_plain(spec.url)
        ref, bundle, scim = spec.token_secret_ref, spec.ca_bundle_secret_ref, spec.scim_secret_ref
        token = secret_text.token(values[_key_ref(ref)])
        if not all("!" <= character <= "~" for character in token):
            raise stalled(
                Reason.UNAUTHORIZED,
                f"Secret {ref.name} holds no session token under the key {ref.key}: "
                "it has spaces, line breaks or characters outside ASCII; put a valid session token there",
            )
        scim_key = values[_key_ref(scim)].strip() if scim else ""
        if scim and not all(" " <= character <= "~" for character in scim_key):
            raise stalled(
                Reason.UNAUTHORIZED,
                f"Secret {scim.name} holds no key for SCIM under the key {scim.key}: it has line breaks or characters "
                "outside ASCII; put there what CODER_SCIM_AUTH_HEADER says on the server",
            )
        return ConnectionSettings(
            url=self.url(spec),
            token=token,
            ca_bundle=values[_key_ref(bundle)] if bundle else spec.ca_bundle or "",
            scim_key=scim_key,
        )

    @override
    def url(self, spec: DeploymentSpec) -> str:
        return spec.url.rstrip("/")

    @override
    def allowances(self, spec: DeploymentSpec) -> tuple[Allowance, ...]:
        short = (Allowance(namespaces=spec.allowed_namespaces),) if spec.allowed_namespaces else ()
        return (*(spec.allow or ()), *short)

    @override
    def rate(self, spec: DeploymentSpec) -> float | None:
        return spec.max_requests_per_second

    @override
    def resync(self, spec: DeploymentSpec) -> float:
        return durations.seconds(spec.resync_interval) if spec.resync_interval else DEFAULT_RESYNC

    @override
    async def probe(self, client: CoderClient, directory: Directory) -> Probe:
        try:
            build = await _build_info(client)
            reachable = DomainCondition("Reachable", "True", Reason.ANSWERING, f"{client.settings.url} answers")
            me = await _ask(client.users.me)
            if isinstance(me, _REFUSALS):
                return _not_authenticated(reachable, build, me)
            return await _healthy_probe(client, directory, reachable, build, me)
        except errors.CoderError as error:
            return self.unusable(error)

    @override
    def unusable(self, error: errors.OperatorError) -> Probe:
        if isinstance(error, errors.TooManyRequests):
            return _LIMITED
        reason = Reason(error.reason)
        # Only the client's errors come from an attempt to reach it; before one, it is the Secrets that are at fault.
        asked = isinstance(error, errors.CoderError)
        culprit, other = ("Reachable", "Authenticated") if asked else ("Authenticated", "Reachable")
        found = {
            culprit: DomainCondition(culprit, "False", reason, error.message),
            other: DomainCondition(other, "Unknown", Reason.UNKNOWN, "not asked"),
        }
        return Probe(
            usable=False,
            reason=reason,
            message=error.message,
            conditions=(found["Reachable"], found["Authenticated"]),
            fields={**NOT_KNOWN, "circuit": "Open"},
            features=None,
        )


async def _build_info(client: CoderClient) -> records.BuildInfo:
    """The proof that it is a Coder. Raises `errors.CoderError` that repeats nothing of what anything else says: whoever
    declares a CoderDeployment may not be meant to read that."""
    try:
        return await client.deployment.build_info()
    except errors.APIError as error:
        error.mute(f"{client.settings.url} answered {error.status} when it was asked for its version; is it Coder?")
        raise


def _key_ref(ref: TokenSecretRef | CABundleSecretRef | SCIMSecretRef) -> SecretKeyRef:
    return SecretKeyRef(ref.name, ref.key, sent=not isinstance(ref, CABundleSecretRef))


_PAUSED: Final = "Coder answered 429 and asked for a pause: nothing is read or written until it is over"
_LIMITED: Final = Probe(
    usable=False,
    reason=Reason.RATE_LIMITED,
    message=_PAUSED,
    conditions=(
        DomainCondition("Reachable", "True", Reason.RATE_LIMITED, _PAUSED),
        DomainCondition("Authenticated", "Unknown", Reason.UNKNOWN, "not asked"),
    ),
    fields={**NOT_KNOWN, "circuit": "Open"},
    features=None,
)
"""It answers, and tells nothing of how it is."""


def _require_plain(url: str) -> None:
    """What admission refuses, for objects that are older than its rules."""
    if "@" in url:
        raise stalled(Reason.INVALID_SPEC, f"spec.url {NO_CREDENTIALS}")
    if "?" in url or "#" in url:
        raise stalled(Reason.INVALID_SPEC, f"spec.url {NO_QUERY}")


_Refusal = errors.APIError | errors.UnexpectedShape
_REFUSALS: Final = (errors.APIError, errors.UnexpectedShape)


def _not_authenticated(reachable: DomainCondition, build: records.BuildInfo, error: _Refusal) -> Probe:
    advice = "; put a valid session token into the Secret of spec.tokenSecretRef"
    message = error.message + (advice if isinstance(error, errors.Unauthorized) else "")
    refused = isinstance(error, errors.Unauthorized) or error.meaning is errors.Meaning.STALLED
    token = DomainCondition("Authenticated", "False" if refused else "Unknown", Reason(error.reason), message)
    return Probe(
        usable=False,
        reason=Reason(error.reason),
        message=message,
        conditions=(reachable, token),
        fields={**NOT_KNOWN, "version": build.version[:MAX_VERSION], "identity": None, "circuit": "Open"},
        features=None,
    )


async def _healthy_probe(
    client: CoderClient,
    directory: Directory,
    reachable: DomainCondition,
    build: records.BuildInfo,
    me: records.User,
) -> Probe:
    roles = sorted(role.name[:MAX_NAME] for role in me.roles)
    token = DomainCondition("Authenticated", "True", Reason.TOKEN_ACCEPTED, f"the token belongs to {me.username}")
    entitlements = await _ask(client.deployment.entitlements)
    licenses = await _ask(client.licenses.list) if _has_license(entitlements) else ()
    known = () if isinstance(licenses, _REFUSALS) else licenses
    ends = cover_ends((item.claims for item in known), datetime.now(UTC))
    key = await _ask(client.users.own_key)
    answers = [
        _license(entitlements, ends),
        _replicas(await _ask(client.deployment.replicas)),
        await _provisioners(client, directory),
        _proxies(await _ask(client.deployment.proxy_lists)),
    ]
    fields: dict[str, Any] = {
        "version": build.version[:MAX_VERSION],
        "identity": {"url": client.settings.url, "username": me.username[:MAX_NAME], "roles": roles[:MAX_ROLES]},
        "circuit": "Closed",
        "features": None,
    }
    features: dict[str, bool] | None = None
    grace = frozenset[str]()
    if isinstance(entitlements, records.Entitlements):
        features = {name: feature.enabled for name, feature in sorted(entitlements.features.items())}
        grace = frozenset(name for name, item in entitlements.features.items() if item.entitlement == "grace_period")
        fields["features"] = dict(list(features.items())[:MAX_FEATURES]) or None
    for answer in answers:
        fields |= answer.fields
    return Probe(
        usable=True,
        reason=Reason.CONNECTED,
        message=f"Coder {build.version} at {client.settings.url} answers to {me.username}",
        conditions=(reachable, token, *(answer.condition for answer in answers if answer.condition)),
        fields=fields,
        features=features,
        grace=grace,
        figures={name: value for answer in answers for name, value in answer.figures.items()}
        | _figures(fields, ends, key),
    )


def _figures(
    fields: Mapping[str, Any], license_ends: datetime | None, key: records.APIKey | _Refusal
) -> dict[Figure, float]:
    token_ends = None if isinstance(key, _REFUSALS) or _is_never(key.expires_at) else key.expires_at
    known = {
        LICENSE_DAYS_LEFT: (fields.get("license") or {}).get("daysLeft"),
        LICENSE_EXPIRY: license_ends.timestamp() if license_ends else None,
        CREDENTIAL_EXPIRY: token_ends.timestamp() if token_ends else None,
    }
    return {figure: value for figure, value in known.items() if value is not None}


def _is_never(moment: datetime) -> bool:
    """The zero time of Go, which a token has that does not end."""
    return moment.year == 1


async def _ask(call: Callable[[], Awaitable[T]]) -> T | _Refusal:
    """The answer, or what this endpoint says instead of one; raises what concerns the whole server."""
    try:
        return await call()
    except _REFUSALS as error:
        return error


def _undetermined(type_: str, error: _Refusal) -> DomainCondition:
    not_served = error.meaning is errors.Meaning.STALLED
    return DomainCondition(type_, "Unknown", Reason.NOT_SERVED if not_served else Reason(error.reason), error.message)


def _has_license(entitlements: records.Entitlements | _Refusal) -> bool:
    return isinstance(entitlements, records.Entitlements) and entitlements.has_license


def _license(entitlements: records.Entitlements | _Refusal, expires: datetime | None) -> _Answer:
    if isinstance(entitlements, _REFUSALS):
        return _Answer(_undetermined("Licensed", entitlements), {"license": None})
    if not entitlements.has_license:
        condition = DomainCondition("Licensed", "False", Reason.UNLICENSED, "no licence; add a CoderLicense")
        return _Answer(condition, {"license": {"valid": False}})
    grace = any(feature.entitlement == "grace_period" for feature in entitlements.features.values())
    notes = "; ".join((*entitlements.errors, *entitlements.warnings))
    condition = DomainCondition(
        "Licensed",
        "True",
        Reason.GRACE_PERIOD if grace else Reason.LICENSED,
        notes or "the licence is valid",
    )
    return _Answer(condition, {"license": {"valid": True, **_days_left(expires)}})


def _days_left(expires: datetime | None) -> dict[str, Any]:
    if expires is None:
        return {}
    left = (expires - datetime.now(UTC)).total_seconds() / SECONDS_PER_DAY
    return {"expiresAt": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "daysLeft": max(0, math.ceil(left))}


def _replicas(replicas: tuple[records.Replica, ...] | _Refusal) -> _Answer:
    if isinstance(replicas, _REFUSALS):
        return _Answer(_undetermined("ReplicasHealthy", replicas), {"replicas": None, "replicasHealthy": None})
    shown = sorted({replica.hostname: replica for replica in replicas}.values(), key=lambda item: item.hostname)
    broken = [replica for replica in replicas if replica.error]
    healthy = f"{len(replicas) - len(broken)}/{len(replicas)}"
    condition = DomainCondition(
        "ReplicasHealthy",
        "False" if broken else "True",
        Reason.REPLICA_ERRORS if broken else Reason.REPLICAS_HEALTHY,
        "; ".join(f"{replica.hostname}: {replica.error}" for replica in broken) or f"{healthy} replicas are healthy",
    )
    rows = [
        {"hostname": replica.hostname[:MAX_NAME], "region": replica.region_id}
        | ({"error": replica.error[:MAX_ERROR]} if replica.error else {})
        for replica in shown[:MAX_REPLICAS]
    ]
    figures = {REPLICAS: len(replicas), REPLICAS_HEALTHY: len(replicas) - len(broken)}
    return _Answer(condition, {"replicas": rows or None, "replicasHealthy": healthy}, figures)


async def _provisioners(client: CoderClient, directory: Directory) -> _Answer:
    try:
        found = [
            await client.deployment.provisioner_daemons(organization.id)
            for organization in (await directory.organizations())[:MAX_ORGANIZATIONS]
        ]
    except _REFUSALS as error:
        return _Answer(_undetermined("ProvisionersAvailable", error), {"provisionerDaemons": None})
    seen = sum(1 for daemons in found for daemon in daemons if _is_alive(daemon))
    condition = DomainCondition(
        "ProvisionersAvailable",
        "True" if seen else "False",
        Reason.PROVISIONERS_SEEN if seen else Reason.NO_PROVISIONERS,
        f"{seen} external provisioner daemons seen lately",
    )
    return _Answer(condition, {"provisionerDaemons": seen})


def _is_alive(daemon: records.ProvisionerDaemon) -> bool:
    if daemon.status:
        return daemon.status != "offline"
    if daemon.heard_at is None:
        return False
    return (datetime.now(UTC) - daemon.heard_at).total_seconds() < DAEMON_SILENT_AFTER


def _proxies(listed: records.ProxyLists | _Refusal) -> _Answer:
    if isinstance(listed, _REFUSALS):
        return _Answer(None, {"proxiesHealthy": None})
    own = [proxy for proxy in listed.proxies if not proxy.deleted and proxy.name != "primary"]
    healthy = sum(1 for proxy in own if proxy.healthy or proxy.status.status == "ok")
    figures = {PROXIES: len(own), PROXIES_HEALTHY: healthy}
    fields = {
        "proxiesHealthy": f"{healthy}/{len(own)}" if own else None,
        "wireProfile": "documented" if listed.documented else "codersdk",
    }
    return _Answer(None, fields, figures)
