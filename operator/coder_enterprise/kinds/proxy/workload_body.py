"""The Deployment that runs a workspace proxy: what is applied, and how a live one differs from it.

Pure functions of bodies; `Context.beside` reads and writes them. What is applied is hashed into an annotation, so that
a field that spec has dropped is noticed; the fields themselves are compared, so that an edit by hand is. What others
add to the Deployment stays. A Service and an Ingress are the user's own: they select the pods by `status.selector`, and
find them at the port named http.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from coder_enterprise.kinds.machinery.resource import GROUP
from coder_enterprise.kinds.proxy.workload_spec import PRIMARY_URL_KEY, QUANTITY, TOKEN_KEY, SecurityContext, Workload

APPLIED_HASH: Final = f"{GROUP}/applied-hash"
TOKEN_CHECKSUM: Final = f"{GROUP}/token-checksum"
"""In the pod template: a new token makes new pods."""
PORT: Final = 8080
DEFAULT_COMMAND: Final = ("/opt/coder", "wsproxy", "server")
_UNITS: Final = {
    **{
        unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}


@dataclass(frozen=True)
class Placement:
    """What the Deployment needs to know beside spec.workload."""

    name: str
    instance: str
    """The name of the object: a label of the pods."""
    secret: str
    primary_url: str
    token_fingerprint: str


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
    match = re.fullmatch(QUANTITY, text)
    if match is None:
        return None
    number, suffix = Decimal(match[1]), match[2] or ""
    return number * _UNITS[suffix] if suffix in _UNITS else number.scaleb(int(suffix[1:]))
