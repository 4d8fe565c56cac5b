"""CoderWorkspaceProxy: a workspace proxy in Coder, its token in a Secret, and, if wanted, the Deployment that runs it.

Coder shows a token once, in its answer to the call that makes it. So the operator can never read one back, and must
know by itself whether the Secret holds the present one. It keeps the first digits of the token's SHA-256 in
`status.tokenFingerprint`: 256 random bits cannot be guessed from them. The Secret is good when the two agree. A new
token takes four steps, and a crash between any two of them ends in one more new token, never in a dead one that looks
alive:

1. the fingerprint is taken out of status (`intent`): from here on the Secret is not trusted;
2. the Secret is written as it is, or without a token: what cannot be written is found out while the old token lives;
3. Coder makes the token, and the Secret is written with it;
4. status gets the fingerprint, together with all else that this visit found.

The Deployment comes in the visit after that: whatever Kubernetes has against it, step 4 is done. Its pods roll because
the fingerprint is in their template. A server that shows no token (one with the documented shapes and nothing more)
leaves the fingerprint "": none is asked for again until a person does, and a token that a person puts into the Secret
is taken as it is.

Other rules of Coder behind it: names are unique without regard to case; a proxy is deleted softly, and then found by
its id only; a change must carry id, name, display name and icon, all of them; the list has no order; health is
Coder's own finding, about once a minute, and read for all proxies at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field
from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.directory import Snapshot
from coder_enterprise.kinds import durations, workload
from coder_enterprise.kinds.base import (
    Action,
    Change,
    Context,
    DomainCondition,
    ManagedKind,
    Observation,
    Verdict,
    stalled,
)
from coder_enterprise.kinds.common import (
    AGE_COLUMNS,
    READY_COLUMNS,
    STATUS_DEFAULT,
    ManagedSpec,
    ManagedStatus,
    ManagementPolicy,
    ObjectName,
)
from coder_enterprise.kinds.consent import Demand
from coder_enterprise.kinds.crd import Column, custom_resource_definition
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import ROTATE_TOKEN_AT, Names, Resource
from coder_enterprise.kinds.schema import Cel, KindModel
from coder_enterprise.kinds.workload import PRIMARY_URL_KEY, TOKEN_KEY, Availability, Placement, Workload
from coder_enterprise.wire.proxies import CreateWorkspaceProxyRequest, PatchWorkspaceProxy

REVISIT: Final = 20.0
"""Seconds until a healthy proxy is looked at again."""
REVISIT_NOT_READY: Final = 5.0
MAX_AGE: Final = 10.0
"""Seconds: a list of proxies that is younger serves all who ask for their health; half of that if one is not ready."""
AT_ONCE: Final = 0.1
DEFAULT_ICON: Final = "/emojis/1f310.png"
OWNER: Final = "owner"
MAX_NAME: Final = 64
MAX_URL: Final = 2048
MAX_MESSAGES: Final = 16
MAX_MESSAGE: Final = 1024
MAX_VERSION: Final = 128
MAX_ANNOTATION: Final = 256

_NAME_PATTERN: Final = r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"
_UUID: Final = "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"
_TOKEN: Final = "spec.tokenSecret"  # noqa: S105
_SECRET_URL: Final = f"{_TOKEN} ({PRIMARY_URL_KEY})"
_WORKLOAD: Final = "spec.workload"
_SOURCE_PORT: Final = re.compile(r":[0-9]{1,5}->")
"""In Go's network errors: another one at each check."""

Message = Annotated[str, Field(max_length=MAX_MESSAGE)]


class TokenSecret(KindModel):
    name: ObjectName | None = None
    """Name of the Secret, in the same namespace, that the operator writes; its keys are CODER_PROXY_SESSION_TOKEN and
    CODER_PRIMARY_ACCESS_URL, ready for envFrom. Default: the object's name with -token at its end."""
    rotate_every: (
        Annotated[
            str,
            Field(max_length=32, pattern=durations.PATTERN),
            Cel("duration(self) >= duration('1h')", "must be at least 1h"),
        ]
        | None
    ) = None
    """Age at which the token is replaced, such as 720h; at least 1h. The old token dies at once: a proxy that
    spec.workload does not run must be restarted then. Default: only when it is lost, or asked for by the annotation
    enterprise.coder.com/rotate-token-at."""


class ProxySpec(ManagedSpec):
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=_NAME_PATTERN)] | None = None
    """Name of the workspace proxy in Coder. Default: the object's own name."""
    display_name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\t-\r ](.*[^\t-\r ])?$")] | None = None
    """What people see in place of the name. Left out, a new proxy gets its name, and a later change in Coder stays."""
    icon: (
        Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^(https?://[^\t-\r ]+|/[^\t-\r ]*)$")] | None
    ) = None
    """Picture: an http(s) URL, or a path on the deployment such as /emojis/1f1ea-1f1fa.png. Left out, a new proxy gets
    a globe, and a later change in Coder stays."""
    token_secret: TokenSecret | None = None
    """Where the proxy's token goes, and how long it lives. A proxy that is adopted gets a new token, since Coder shows
    none twice: so only adoptionPolicy Adopt adopts one."""
    workload: Workload | None = None
    """A Deployment that runs the proxy, owned by this object. Default: none; run the proxy yourself, with the token
    from the Secret."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!has(self.name) || !(self.name.lowerAscii() in ['primary', 'me'])",
            "primary and me are reserved by Coder",
            field_path=".name",
        ),
        Cel(
            f"!has(self.name) || !self.name.matches('{_UUID}')",
            "name must not look like an id: by that name, nobody could find the proxy",
            field_path=".name",
        ),
        *ManagedSpec.cel,
    )


class Health(KindModel):
    status: Annotated[str, Field(max_length=32)]
    """ok, unreachable, unhealthy or unregistered, as Coder found it; unknown before Coder has looked."""
    since: datetime | None = None
    """When the operator first saw this status."""
    errors: Annotated[tuple[Message, ...], Field(max_length=MAX_MESSAGES)] | None = None
    warnings: Annotated[tuple[Message, ...], Field(max_length=MAX_MESSAGES)] | None = None


class ProxyStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=64)] | None = None
    """The proxy's id in Coder."""
    url: Annotated[str, Field(max_length=MAX_URL)] | None = None
    """The address under which the proxy has registered."""
    wildcard_hostname: Annotated[str, Field(max_length=255)] | None = None
    health: Health | None = None
    """As Coder measured it."""
    version: Annotated[str, Field(max_length=MAX_VERSION)] | None = None
    """What the proxy said of itself when it registered."""
    token_fingerprint: Annotated[str, Field(max_length=64)] | None = None
    """First digits of the SHA-256 of the token that the Secret must hold; absent while a new one is on its way, and ""
    when Coder showed none."""
    token_rotated_at: datetime | None = None
    """When the present token was made."""
    last_handled_rotate_at: Annotated[str, Field(max_length=MAX_ANNOTATION)] | None = None
    """The value of the annotation enterprise.coder.com/rotate-token-at that was acted on last."""
    replicas: int | None = None
    """Pods of the workload."""
    ready_replicas: int | None = None
    selector: Annotated[str, Field(max_length=512)] | None = None
    """Selects the workload's pods: for a Service, and for autoscalers."""


class ProxyIndex:
    """The proxies that are not deleted, by id and by name in lower case."""

    def __init__(self, proxies: Iterable[records.WorkspaceProxy]) -> None:
        self._by_id = {proxy.id: proxy for proxy in proxies if not proxy.deleted}

    def get(self, proxy_id: str) -> records.WorkspaceProxy | None:
        return self._by_id.get(proxy_id)

    def named(self, name: str) -> records.WorkspaceProxy | None:
        return next((proxy for proxy in self._by_id.values() if proxy.name.lower() == name.lower()), None)

    def put(self, proxy: records.WorkspaceProxy) -> None:
        self._by_id[proxy.id] = proxy

    def drop(self, proxy_id: str) -> None:
        self._by_id.pop(proxy_id, None)


@dataclass(frozen=True, kw_only=True)
class ObservedProxy(Observation):
    resource: Resource
    name: str
    """As declared."""
    proxy: records.WorkspaceProxy | None
    namesake: records.WorkspaceProxy | None
    """Who has the declared name now; mostly the proxy itself."""
    primary_url: str
    secret: Mapping[str, str] | None = field(repr=False)
    """The Secret's values; None when there is no such Secret."""
    deployment: Mapping[str, Any] | None
    """The Deployment of that name, if it concerns the object."""
    now: datetime
    issued: str | None = None
    """Fingerprint of the token that this visit has made."""
    postponed: bool = False
    """The workload waits for the next visit, which is due at once."""

    @property
    def token(self) -> str:
        return (self.secret or {}).get(TOKEN_KEY, "")

    @property
    def recorded(self) -> Mapping[str, Any]:
        return self.resource.status

    @property
    def requested(self) -> str:
        """The rotation that a person asks for; "" for none."""
        return self.resource.annotations.get(ROTATE_TOKEN_AT, "")[:MAX_ANNOTATION]

    @property
    def workload_name(self) -> str:
        return workload.workload_name(self.resource.key.name)


class ProxyKind(ManagedKind[ProxySpec, ObservedProxy]):
    names = Names("CoderWorkspaceProxy", "coderworkspaceproxies", "coderworkspaceproxy", "coderproxy")
    things = "workspace proxies"
    spec_model = ProxySpec
    feature = "workspace_proxy"
    alters_deployment = True
    crd = custom_resource_definition(
        names=names,
        spec=ProxySpec,
        status=ProxyStatus,
        status_default=dict(STATUS_DEFAULT),
        scale={
            "specReplicasPath": ".spec.workload.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
        validations=(
            Cel(
                f"has(self.spec.name) || (self.metadata.name.matches('{_NAME_PATTERN}') && "
                f"size(self.metadata.name) <= {MAX_NAME} && !(self.metadata.name in ['primary', 'me']) && "
                f"!self.metadata.name.matches('{_UUID}'))",
                "metadata.name is not a valid name of a workspace proxy in Coder: set spec.name",
                field_path=".spec.name",
            ),
            Cel(
                "!has(self.spec.workload) || size(self.metadata.name) <= 55",
                "metadata.name must have at most 55 characters, because the workload is called after it",
                field_path=".spec.workload",
            ),
        ),
        description="A workspace proxy of a Coder deployment: its name, its token, its health, and what runs it.",
        columns=(
            *READY_COLUMNS,
            Column("Health", ".status.health.status"),
            Column("URL", ".status.url"),
            Column("External ID", ".status.id", priority=1),
            Column("Version", ".status.version", priority=1),
            Column("Replicas", ".status.readyReplicas", type="integer", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def secrets(self, resource: Resource, spec: ProxySpec) -> tuple[str, ...]:
        return (_secret_name(resource, spec),)

    @override
    def demand(self, spec: ProxySpec, changes: Sequence[Change] = ()) -> Demand:
        return Demand(self.names.kind, workload=spec.workload is not None)

    @override
    def external_name(self, resource: Resource, spec: ProxySpec) -> str:
        return _name(resource, spec).lower()

    @override
    async def identity(self, context: Context, resource: Resource, spec: ProxySpec) -> str:
        return self.external_name(resource, spec)

    @override
    async def observe(self, context: Context, resource: Resource, spec: ProxySpec, *, fresh: bool) -> ObservedProxy:
        age = 0.0 if fresh else MAX_AGE if resource.ready else MAX_AGE / 2
        index = await _listed(context).get(newer_than=now() - age)
        name = _name(resource, spec)
        namesake = index.named(name)
        proxy = index.get(resource.external_id) if resource.external_id else namesake
        if proxy is None and fresh and resource.external_id:
            proxy = await _not_listed(context, resource.external_id) or namesake
        deployment = None
        if spec.workload or resource.status.get("selector"):
            deployment = await context.cluster.workload(resource, workload.workload_name(resource.key.name))
        return ObservedProxy(
            external_id=proxy.id if proxy else None,
            fresh=fresh or (proxy is None and resource.external_id is None),
            resource=resource,
            name=name,
            proxy=proxy,
            namesake=namesake,
            primary_url=context.client.settings.url,
            secret=await context.cluster.secret(resource, _secret_name(resource, spec)),
            deployment=deployment,
            now=datetime.now(UTC),
        )

    @override
    def plan(self, desired: ProxySpec, observed: ObservedProxy, recorded: Mapping[str, Any]) -> list[Change]:
        if observed.proxy is None:
            changes = [Change(Action.CREATE, "spec", after=observed.name)]
        else:
            changes = _setting_changes(desired, observed.name, observed.proxy)
        if desired.management_policy is ManagementPolicy.OBSERVE:
            return changes
        changes += _token_changes(desired, observed, recorded)
        return changes + _workload_changes(desired, observed, new_token=_has(changes, _TOKEN))

    @override
    def intent(self, desired: ProxySpec, changes: Sequence[Change], recorded: Mapping[str, Any]) -> dict[str, Any]:
        if _has(changes, _TOKEN):
            return {"tokenFingerprint": None} if "tokenFingerprint" in recorded else {}
        # Recorded before the Deployment exists: it must be found again when spec.workload is removed.
        made = [change.subject for change in changes if change.action is Action.CREATE and change.path == _WORKLOAD]
        return {"selector": made[0]} if made else {}

    @override
    async def apply(
        self, context: Context, desired: ProxySpec, observed: ObservedProxy, changes: Sequence[Change]
    ) -> ObservedProxy:
        settings = any(change.path in {"spec", *(path for path, _, _ in _SETTINGS)} for change in changes)
        new_token = _has(changes, _TOKEN)
        if new_token:
            # What cannot be written must be known before the old token dies.
            observed = await _write_secret(context, desired, observed, observed.token)
        if settings or new_token:
            observed = await _write_proxy(context, desired, observed, new_token=new_token)
        elif _has(changes, _SECRET_URL):
            observed = await _write_secret(context, desired, observed, observed.token)
        if new_token:
            return replace(observed, postponed=desired.workload is not None)
        return await _write_workload(context, desired, observed) if _touches_workload(changes) else observed

    @override
    def report(
        self,
        desired: ProxySpec,
        observed: ObservedProxy,
        changes: Sequence[Change],
        recorded: Mapping[str, Any],
    ) -> dict[str, Any]:
        fields = _proxy_fields(observed) | _workload_fields(desired, observed)
        if not _has(changes, _TOKEN):
            return fields
        return fields | {
            "tokenFingerprint": observed.issued,
            "tokenRotatedAt": _text(observed.now),
            "lastHandledRotateAt": observed.requested or recorded.get("lastHandledRotateAt"),
        }

    @override
    def verdict(self, desired: ProxySpec, observed: ObservedProxy) -> Verdict:
        if observed.proxy is None:
            return Verdict(revisit=REVISIT, dropped=("Registered", "Healthy", "WorkloadAvailable"))
        running = _running(desired, observed)
        registered, healthy = _registered(observed), _healthy(observed)
        workload_condition = _workload_condition(running)
        verdict = _verdict(desired, observed, registered, healthy, workload_condition)
        return replace(
            verdict,
            conditions=(registered, healthy, *((workload_condition,) if workload_condition else ())),
            dropped=() if workload_condition else ("WorkloadAvailable",),
            revisit=_revisit(desired, observed, ready=verdict.ready),
        )

    @override
    async def delete(self, context: Context, resource: Resource) -> None:
        proxy_id = resource.external_id
        if proxy_id is None:
            return
        try:
            await context.client.proxies.delete(proxy_id)
        except errors.NotFound as error:
            await _prove_gone(context, error)
        _listed(context).change(lambda index: index.drop(proxy_id))


def fingerprint(token: str) -> str:
    """ "" for no token."""
    return hashlib.sha256(token.encode()).hexdigest()[:16] if token else ""


def _name(resource: Resource, spec: ProxySpec) -> str:
    return spec.name or resource.key.name


def _secret_name(resource: Resource, spec: ProxySpec) -> str:
    return (spec.token_secret.name if spec.token_secret else None) or f"{resource.key.name}-token"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _has(changes: Sequence[Change], path: str) -> bool:
    return any(change.path == path for change in changes)


# What Coder has


def _listed(context: Context) -> Snapshot[ProxyIndex]:
    async def load() -> ProxyIndex:
        try:
            return ProxyIndex(await context.client.deployment.workspace_proxies())
        except errors.NotFound as error:
            if not error.route_missing:
                raise
            raise _not_served(error) from None

    return context.directory.shared("workspaceproxies", load)


def _not_served(error: errors.NotFound) -> Exception:
    return stalled(
        Reason.NOT_SERVED,
        f"this server has no workspace proxies ({error.message}); below Coder 2.6 enable its experiment moons",
    )


async def _not_listed(context: Context, proxy_id: str) -> records.WorkspaceProxy | None:
    """None when it is proven to be deleted."""
    try:
        proxy = await context.client.proxies.get(proxy_id)
    except errors.NotFound as error:
        await _prove_gone(context, error)
        return None
    return None if proxy.deleted else proxy


async def _prove_gone(context: Context, error: errors.NotFound) -> None:
    """Coder answers 404 for what is gone, and for what the token may not see; only an owner sees all. Raises then."""
    if error.route_missing:
        raise _not_served(error) from None
    me = await context.client.users.me()
    if not any(role.name == OWNER for role in me.roles):
        raise error


# Plan


_SETTINGS: Final = (
    ("spec.name", "name", "name"),
    ("spec.displayName", "display_name", "display_name"),
    ("spec.icon", "icon", "icon_url"),
)
"""Path, field of spec and of requests, field of answers."""


def _setting_changes(desired: ProxySpec, name: str, proxy: records.WorkspaceProxy) -> list[Change]:
    changes = []
    for path, field_name, answered in _SETTINGS:
        wanted = name if field_name == "name" else getattr(desired, field_name)
        current = getattr(proxy, answered)
        if wanted is not None and wanted != current:
            changes.append(Change(Action.UPDATE, path, current, wanted))
    return changes


def _token_changes(desired: ProxySpec, observed: ObservedProxy, recorded: Mapping[str, Any]) -> list[Change]:
    why = _why_new_token(desired, observed, recorded)
    if why:
        return [Change(Action.UPDATE, _TOKEN, before=why, after="a new token", event="TokenRotated")]
    known = (observed.secret or {}).get(PRIMARY_URL_KEY)
    if known != observed.primary_url:
        before = "another address" if known else None
        return [Change(Action.UPDATE, _SECRET_URL, before=before, after=observed.primary_url, event="SecretWritten")]
    return []


def _why_new_token(desired: ProxySpec, observed: ObservedProxy, recorded: Mapping[str, Any]) -> str:
    """ "" when the present one stays."""
    known = recorded.get("tokenFingerprint")
    if known is None or observed.proxy is None or observed.proxy.id != recorded.get("id"):
        return "none that this object made"
    if observed.requested and observed.requested != recorded.get("lastHandledRotateAt"):
        return f"one that is to be replaced ({observed.requested})"
    left = _seconds_left(desired, observed, recorded)
    if left is not None and left <= 0 and known:
        return f"one from {recorded.get('tokenRotatedAt')}"
    if known == "":
        return ""
    if not observed.token:
        return "lost with the Secret" if observed.secret is None else "lost from the Secret"
    return "" if fingerprint(observed.token) == known else "not the one in the Secret"


def _seconds_left(desired: ProxySpec, observed: ObservedProxy, recorded: Mapping[str, Any]) -> float | None:
    """Until the token is too old; None when it never is."""
    every = desired.token_secret.rotate_every if desired.token_secret else None
    made = observed.now if observed.issued is not None else _moment(recorded.get("tokenRotatedAt"))
    if every is None or made is None:
        return None
    return (made + timedelta(seconds=durations.seconds(every)) - observed.now).total_seconds()


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _workload_changes(desired: ProxySpec, observed: ObservedProxy, *, new_token: bool) -> list[Change]:
    live, shown = observed.deployment, f"Deployment {observed.workload_name}"
    if desired.workload is None:
        owned = live is not None and observed.resource.owns(live)
        return [Change(Action.REMOVE, _WORKLOAD, before=shown, event="WorkloadApplied")] if owned else []
    if not observed.token and not new_token:
        return []  # Coder showed none: there is nothing to run with
    if live is None:
        pods = workload.selector(observed.resource.key.name)
        return [Change(Action.CREATE, _WORKLOAD, after=shown, subject=pods, event="WorkloadApplied")]
    if new_token:
        return []  # not known yet, so how the pods will differ is not either
    found = workload.differences(_body(desired, observed), live)
    return [
        Change(Action.UPDATE, f"{_WORKLOAD} ({shown} {path})", str(before), str(after), event="WorkloadApplied")
        for path, before, after in found
    ]


def _touches_workload(changes: Sequence[Change]) -> bool:
    return any(change.path.startswith(_WORKLOAD) for change in changes)


def _body(desired: ProxySpec, observed: ObservedProxy) -> dict[str, Any]:
    if desired.workload is None:
        raise AssertionError("only a workload has a body")
    place = Placement(
        name=observed.workload_name,
        instance=observed.resource.key.name,
        secret=_secret_name(observed.resource, desired),
        primary_url=observed.primary_url,
        token_fingerprint=fingerprint(observed.token),
    )
    return workload.body(desired.workload, place)


# Apply


async def _write_secret(context: Context, desired: ProxySpec, observed: ObservedProxy, token: str) -> ObservedProxy:
    values = {TOKEN_KEY: token, PRIMARY_URL_KEY: observed.primary_url}
    await context.cluster.write_secret(observed.resource, _secret_name(observed.resource, desired), values)
    return replace(observed, secret=values)


async def _write_proxy(
    context: Context, desired: ProxySpec, observed: ObservedProxy, *, new_token: bool
) -> ObservedProxy:
    if observed.proxy is None:
        proxy, token = await _create(context, desired, observed.name)
    else:
        proxy, token = await _update(context, desired, observed, observed.proxy, new_token=new_token)
    _listed(context).change(lambda index: index.put(proxy))
    observed = replace(observed, proxy=proxy, external_id=proxy.id, fresh=True)
    if not new_token:
        return observed
    observed = await _write_secret(context, desired, observed, token)
    return replace(observed, issued=fingerprint(token))


async def _create(context: Context, desired: ProxySpec, name: str) -> tuple[records.WorkspaceProxy, str]:
    request = CreateWorkspaceProxyRequest(
        name=name, display_name=desired.display_name or name, icon=desired.icon or DEFAULT_ICON
    )
    try:
        return await context.client.proxies.create(request)
    except errors.AlreadyTaken as error:
        raise stalled(
            Reason.ALREADY_EXISTS, f"a workspace proxy named {name} was just made by someone else ({error.message})"
        ) from None


async def _update(
    context: Context, desired: ProxySpec, observed: ObservedProxy, proxy: records.WorkspaceProxy, *, new_token: bool
) -> tuple[records.WorkspaceProxy, str]:
    """Servers refuse a change without id, name, display name and icon, and an empty one of them."""
    if observed.namesake is not None and observed.namesake.id != proxy.id:
        raise stalled(
            Reason.ALREADY_EXISTS,
            f"spec.name: the name {observed.name} belongs to another workspace proxy ({observed.namesake.id}); "
            "choose another one",
        )
    request = PatchWorkspaceProxy(
        id=proxy.id,
        name=observed.name,
        display_name=desired.display_name or proxy.display_name or observed.name,
        icon=desired.icon or proxy.icon_url or DEFAULT_ICON,
        regenerate_token=new_token,
    )
    return await context.client.proxies.update(proxy.id, request)


async def _write_workload(context: Context, desired: ProxySpec, observed: ObservedProxy) -> ObservedProxy:
    if desired.workload is None:
        await context.cluster.delete_workload(observed.resource, observed.workload_name)
        return replace(observed, deployment=None)
    applied = await context.cluster.apply_workload(observed.resource, _body(desired, observed))
    return replace(observed, deployment=applied)


# Report


def _proxy_fields(observed: ObservedProxy) -> dict[str, Any]:
    proxy = observed.proxy
    if proxy is None:
        return dict.fromkeys(("id", "url", "wildcardHostname", "version", "health"))
    return {
        "id": proxy.id,
        "url": proxy.path_app_url[:MAX_URL] or None,
        "wildcardHostname": proxy.wildcard_hostname[:255] or None,
        "version": proxy.version[:MAX_VERSION] or None,
        "health": _health_field(observed),
    }


def _health_field(observed: ObservedProxy) -> dict[str, Any]:
    status, told_errors, told_warnings = _health(observed)
    before = _recorded_health(observed)
    since = before.get("since") if before.get("status") == status else None
    lists = {"errors": told_errors, "warnings": told_warnings}
    shown = {name: list(texts) for name, texts in lists.items() if texts}
    return {"status": status, "since": since or _text(observed.now), **shown}


def _workload_fields(desired: ProxySpec, observed: ObservedProxy) -> dict[str, Any]:
    running = _running(desired, observed)
    if running is None:
        stays = observed.deployment is not None and observed.resource.owns(observed.deployment)
        return {} if stays else dict.fromkeys(("replicas", "readyReplicas", "selector"))
    selector = workload.selector(observed.resource.key.name)
    return {"replicas": running.replicas, "readyReplicas": running.ready, "selector": selector}


def _running(desired: ProxySpec, observed: ObservedProxy) -> Availability | None:
    """None without a workload."""
    if desired.workload is None:
        return None
    if observed.deployment is None:
        return Availability(available=False, replicas=0, ready=0, message=f"{observed.workload_name} is not there yet")
    return workload.availability(observed.deployment)


# Health


def _recorded_health(observed: ObservedProxy) -> Mapping[str, Any]:
    """Of this very proxy; one that is only looked at has no id in status."""
    same = observed.proxy is not None and observed.recorded.get("id") in {None, observed.proxy.id}
    return observed.recorded.get("health") or {} if same else {}


def _health(observed: ObservedProxy) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Status, errors and warnings. A server that was just started knows nothing yet: what it said before holds.

    The documented shapes have no word for that: a proxy with an address that is `unregistered` is unknown.
    """
    if observed.proxy is None:
        return "unknown", (), ()
    found = observed.proxy.status
    registered = bool(observed.proxy.path_app_url)
    if found.status in {"unknown", "unregistered"}:
        before = _recorded_health(observed)
        if registered and before.get("status") in {"ok", "unreachable", "unhealthy"}:
            return before["status"], tuple(before.get("errors") or ()), tuple(before.get("warnings") or ())
        return ("unknown" if registered else "unregistered"), (), ()
    return found.status[:32], _bounded(found.report.errors), _bounded(found.report.warnings)


def _bounded(texts: Sequence[str]) -> tuple[str, ...]:
    cleaned = [_SOURCE_PORT.sub("->", text).strip() for text in texts]
    return tuple(text[: MAX_MESSAGE - 1] + "…" if len(text) > MAX_MESSAGE else text for text in cleaned[:MAX_MESSAGES])


def _registered(observed: ObservedProxy) -> DomainCondition:
    url = observed.proxy.path_app_url if observed.proxy else ""
    if url:
        return DomainCondition("Registered", "True", Reason.REGISTERED, f"it has registered as {url}")
    return DomainCondition("Registered", "False", Reason.NOT_REGISTERED, "it has never registered")


def _healthy(observed: ObservedProxy) -> DomainCondition:
    status, told_errors, told_warnings = _health(observed)
    told = "; ".join((*told_errors, *told_warnings))
    if status == "ok":
        note = f"Coder finds it healthy, and warns: {told}" if told else "Coder finds it healthy"
        return DomainCondition("Healthy", "True", Reason.PROXY_HEALTHY, note)
    if status == "unregistered":
        return DomainCondition("Healthy", "Unknown", Reason.NOT_REGISTERED, "it has never registered")
    if status == "unknown":
        return DomainCondition("Healthy", "Unknown", Reason.NOT_CHECKED, "Coder has not looked at it yet")
    reason = Reason.PROXY_UNREACHABLE if status == "unreachable" else Reason.PROXY_UNHEALTHY
    return DomainCondition("Healthy", "False", reason, f"Coder finds it {status}: {told or 'no reason given'}")


def _workload_condition(running: Availability | None) -> DomainCondition | None:
    if running is None:
        return None
    reason = Reason.WORKLOAD_AVAILABLE if running.available else Reason.WORKLOAD_UNAVAILABLE
    return DomainCondition("WorkloadAvailable", str(running.available), reason, running.message)


# Verdict


def _verdict(
    desired: ProxySpec,
    observed: ObservedProxy,
    registered: DomainCondition,
    healthy: DomainCondition,
    running: DomainCondition | None,
) -> Verdict:
    """Whether it is usable: the first of these that is not as it should be says why not."""
    secret = _secret_name(observed.resource, desired)
    known = observed.recorded.get("tokenFingerprint") if observed.issued is None else observed.issued
    if known == "" and not observed.token:
        return Verdict(
            ready=False,
            stalled=True,
            reason=Reason.TOKEN_NOT_SHOWN,
            message=f"Coder made a token for it and did not show it; put a token into the key {TOKEN_KEY} of Secret "
            f"{secret}, or upgrade Coder and annotate the object with {ROTATE_TOKEN_AT}",
        )
    trouble = f"; the workload: {running.message}" if running and running.status != "True" else ""
    if registered.status != "True":
        message = f"it has never registered; run a workspace proxy with the token in Secret {secret}"
        return Verdict(ready=False, reason=registered.reason, message=message + trouble)
    if healthy.status != "True":
        return Verdict(ready=False, reason=healthy.reason, message=healthy.message + trouble)
    if running and running.status != "True":
        return Verdict(ready=False, reason=running.reason, message=f"Coder finds it healthy{trouble}")
    return Verdict(message=f"applied; {healthy.message}")


def _revisit(desired: ProxySpec, observed: ObservedProxy, *, ready: bool) -> float:
    if observed.postponed:
        return AT_ONCE
    usual = REVISIT if ready else REVISIT_NOT_READY
    left = _seconds_left(desired, observed, observed.recorded)
    return usual if left is None else max(AT_ONCE, min(usual, left))
