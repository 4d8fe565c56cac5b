"""The Deployment that runs a workspace proxy: what spec.workload may say, what is applied, and how it differs.

Used by `kinds.proxy`. Pure functions of bodies; `Context.cluster` reads and writes them. What is applied is hashed
into an annotation, so that a field that spec has dropped is noticed; the fields themselves are compared, so that an
edit by hand is. What others add to the Deployment stays. A Service and an Ingress are the user's own: they select the
pods by `status.selector`, and find them at the port named http.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field

from coder_enterprise.kinds.common import ObjectName
from coder_enterprise.kinds.resource import GROUP
from coder_enterprise.kinds.schema import Cel, IntOrString, KindModel, ListMap

TOKEN_KEY: Final = "CODER_PROXY_SESSION_TOKEN"  # noqa: S105
PRIMARY_URL_KEY: Final = "CODER_PRIMARY_ACCESS_URL"
"""Keys of the token's Secret, called as the proxy's own settings, so that `envFrom` is all that a pod needs."""

APPLIED_HASH: Final = f"{GROUP}/applied-hash"
TOKEN_CHECKSUM: Final = f"{GROUP}/token-checksum"
"""In the pod template: a new token makes new pods."""
PORT: Final = 8080
MAX_REPLICAS: Final = 100
DEFAULT_COMMAND: Final = ("/opt/coder", "wsproxy", "server")

_RESERVED: Final = (
    TOKEN_KEY,
    PRIMARY_URL_KEY,
    "CODER_ACCESS_URL",
    "CODER_WILDCARD_ACCESS_URL",
    "CODER_HTTP_ADDRESS",
)
_QUANTITY: Final = r"^\+?([0-9]{1,19}\.?[0-9]{0,9}|\.[0-9]{1,9})([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$"
"""What Kubernetes reads as a quantity that is not negative."""
_UNITS: Final = {
    **{
        unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[Annotated[str, Field(max_length=32, pattern=_QUANTITY)], BeforeValidator(_as_text), IntOrString()]
Quantities = Annotated[
    dict[str, Quantity],
    Field(max_length=3),
    Cel(
        "self.all(name, name in ['cpu', 'memory', 'ephemeral-storage'])",
        "only cpu, memory and ephemeral-storage can be set",
    ),
]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Resources(KindModel):
    requests: Quantities | None = None
    """What is set aside for each pod: cpu, memory, ephemeral-storage."""
    limits: Quantities | None = None
    """The most that each pod may use."""


class SecurityContext(KindModel):
    run_as_user: Id | None = None
    """Default: the image's own user, who must not be root."""
    run_as_group: Id | None = None
    """Default: the image's own group."""
    read_only_root_filesystem: bool | None = None
    """Default: what the image needs, which is false."""


class EnvironmentVariable(KindModel):
    name: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: Annotated[str, Field(max_length=4096)] = ""
    """As it is: no references, and nothing secret."""


class Workload(KindModel):
    image: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\t-\r ]+$")]
    """Such as ghcr.io/coder/coder:v2.20.0, of the release that Coder runs."""
    command: (
        Annotated[
            tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...],
            Field(min_length=1, max_length=16),
        ]
        | None
    ) = None
    """What runs in the image. Default: /opt/coder wsproxy server."""
    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)] | None = None
    """How many pods; left out, the Deployment's own number is left alone, which is 1 at first. kubectl scale and
    autoscalers need it to be set once, and change it here."""
    access_url: Annotated[
        str,
        Field(alias="accessURL", min_length=8, max_length=2048),
        Cel(
            "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' && "
            "url(self).getEscapedPath() in ['', '/']",
            "accessURL must be an http or https URL without a path, such as https://eu.coder.example.com",
        ),
    ]
    """How browsers and Coder reach the proxy: the address of the Ingress or Service in front of it."""
    wildcard_access_url: Annotated[
        Annotated[str, Field(max_length=253, pattern=r"^\*[-A-Za-z0-9]*(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)+$")]
        | None,
        Field(alias="wildcardAccessURL"),
    ] = None
    """Host name of workspace apps on subdomains, such as *.eu.coder.example.com."""
    resources: Resources | None = None
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=16)] | None = None
    """Labels that a node must have."""
    service_account_name: ObjectName | None = None
    """Whom the pods run as; no token of it is mounted. Default: the namespace's own."""
    security_context: SecurityContext | None = None
    """On top of what Pod Security Standards call restricted, which always holds."""
    env: Annotated[tuple[EnvironmentVariable, ...], Field(max_length=32), ListMap("name")] = ()
    """More settings of the proxy, such as CODER_DERP_SERVER_ENABLE."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            f"!has(self.env) || self.env.all(item, !(item.name in {list(_RESERVED)}))",
            "the token and the addresses are set by the operator: leave them out of env",
            field_path=".env",
        ),
    )


@dataclass(frozen=True)
class Placement:
    """What the Deployment needs to know beside spec.workload."""

    name: str
    instance: str
    """The name of the object: a label of the pods."""
    secret: str
    primary_url: str
    token_fingerprint: str


@dataclass(frozen=True)
class Availability:
    available: bool
    replicas: int
    ready: int
    message: str


def workload_name(object_name: str) -> str:
    return f"{object_name}-wsproxy"


def labels(instance: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "coder-workspace-proxy", "app.kubernetes.io/instance": instance}


def selector(instance: str) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels(instance).items()))


def body(workload: Workload, place: Placement) -> dict[str, Any]:
    """What is applied, with its hash."""
    spec: dict[str, Any] = {
        "selector": {"matchLabels": labels(place.instance)},
        "template": {
            "metadata": {
                "labels": labels(place.instance),
                "annotations": {TOKEN_CHECKSUM: place.token_fingerprint},
            },
            "spec": _pod(workload, place),
        },
    }
    if workload.replicas is not None:
        spec["replicas"] = workload.replicas
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    metadata = {"name": place.name, "labels": labels(place.instance), "annotations": {APPLIED_HASH: digest}}
    return {"metadata": metadata, "spec": spec}


def _pod(workload: Workload, place: Placement) -> dict[str, Any]:
    own = workload.security_context or SecurityContext()
    identity = {"runAsUser": own.run_as_user, "runAsGroup": own.run_as_group}
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **_set(identity)},
        "containers": [_container(workload, place, own)],
    }
    return pod | _set(
        {"nodeSelector": workload.node_selector or None, "serviceAccountName": workload.service_account_name}
    )


def _container(workload: Workload, place: Placement, own: SecurityContext) -> dict[str, Any]:
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    probe = {"httpGet": {"path": "/healthz", "port": "http"}}
    container: dict[str, Any] = {
        "name": "wsproxy",
        "image": workload.image,
        "command": list(workload.command or DEFAULT_COMMAND),
        "env": _environment(workload, place),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": probe | {"periodSeconds": 5},
        "livenessProbe": probe | {"periodSeconds": 10, "failureThreshold": 6},
        "securityContext": restricted | _set({"readOnlyRootFilesystem": own.read_only_root_filesystem}),
    }
    resources = workload.resources.model_dump(exclude_none=True) if workload.resources else {}
    return container | ({"resources": resources} if resources else {})


def _environment(workload: Workload, place: Placement) -> list[dict[str, Any]]:
    token = {"secretKeyRef": {"name": place.secret, "key": TOKEN_KEY}}
    values = {
        PRIMARY_URL_KEY: place.primary_url,
        "CODER_ACCESS_URL": workload.access_url,
        "CODER_WILDCARD_ACCESS_URL": workload.wildcard_access_url,
        "CODER_HTTP_ADDRESS": f":{PORT}",
    }
    own = [{"name": name, "value": value} for name, value in values.items() if value]
    extra = [{"name": item.name, "value": item.value} for item in workload.env]
    return [{"name": TOKEN_KEY, "valueFrom": token}, *own, *extra]


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


# Comparison


def differences(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Path, live value and wanted value of what would change; none at rest."""
    found = list(_differences(wanted, live, ""))
    # The hash alone differs when spec has dropped a field; next to a difference it says nothing.
    own = [item for item in found if not item[0].endswith(APPLIED_HASH)]
    return own or [("", "as it was applied before", "as it is declared") for _ in found]


def _differences(wanted: Any, live: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(wanted, Mapping):
        for key, value in wanted.items():
            known = live.get(key) if isinstance(live, Mapping) else None
            yield from _differences(value, known, f"{path}.{key}" if path else key)
    elif _is_named(wanted):
        listed = {item.get("name"): item for item in live or () if isinstance(item, Mapping)}
        for item in wanted:
            yield from _differences(item, listed.get(item["name"]), f"{path}[{item['name']}]")
    elif not _same(wanted, live, quantities=".resources." in path):
        yield path, live, wanted


def _is_named(wanted: Any) -> bool:
    """A list whose items Kubernetes tells apart by name, so that others may have items in it."""
    return isinstance(wanted, list) and bool(wanted) and all(isinstance(item, Mapping) for item in wanted)


def _same(wanted: Any, live: Any, *, quantities: bool) -> bool:
    """As the API server stores it: without empty strings, and with quantities in its own form."""
    if wanted == live or (wanted == "" and live is None):
        return True
    numbers = (_number(wanted), _number(str(live))) if quantities else (None, None)
    return None not in numbers and numbers[0] == numbers[1]


def _number(text: str) -> Decimal | None:
    match = re.fullmatch(_QUANTITY, text)
    if match is None:
        return None
    number, suffix = Decimal(match[1]), match[2] or ""
    return number * _UNITS[suffix] if suffix in _UNITS else number.scaleb(int(suffix[1:]))


# Status


def availability(live: Mapping[str, Any]) -> Availability:
    """What the Deployment says of itself."""
    status = live.get("status") or {}
    wanted = (live.get("spec") or {}).get("replicas", 1)
    ready = status.get("readyReplicas") or 0
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    available = conditions.get("Available", {}).get("status") == "True"
    return Availability(
        available=available and _is_current(live),
        replicas=status.get("replicas") or 0,
        ready=ready,
        message=f"{ready} of {wanted} replicas are ready" + _trouble(list(conditions.values()), available=available),
    )


def _is_current(live: Mapping[str, Any]) -> bool:
    """What it says is about its present spec."""
    observed = (live.get("status") or {}).get("observedGeneration") or 0
    return bool(observed >= (live["metadata"].get("generation") or 0))


def _trouble(conditions: Sequence[Mapping[str, Any]], *, available: bool) -> str:
    """The Deployment's own words for why it is not available, or why it does not get on."""
    found = [
        str(item.get("message") or item.get("reason") or "")
        for item in conditions
        if (item.get("type") == "ReplicaFailure" and item.get("status") == "True")
        or (item.get("type") == "Progressing" and item.get("status") == "False")
        or (item.get("type") == "Available" and item.get("status") == "False" and not available)
    ]
    return "".join(f"; {text}" for text in found if text)
