"""Where the operator's page is: in which pod, at which port of it, and how it asks who looks.

Called by `coder-enterprise page`. The pods have labels by which the chart and the manifests mark an operator; what it
was told is in their arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.paths import PODS
from coder_enterprise.oncall.errors import CannotDo

SELECTOR: Final = "app.kubernetes.io/component=operator"
COMMAND: Final = "operator"
DEFAULT_ADDRESS: Final = "127.0.0.1:8082"
DEFAULT_MODE: Final = "local"


@dataclass(frozen=True)
class Page:
    namespace: str
    pod: str
    port: int
    scheme: str
    mode: str
    """How it learns who looks: local, kubernetes or proxy."""


async def find(client: KubernetesClient, namespace: str, *, elsewhere: bool) -> Page:
    """In that namespace; with `elsewhere` in all, if it is not there. Raises `CannotDo` and `KubernetesError`."""
    operators = await _operators(client, namespace)
    if not operators and elsewhere:
        operators = await _everywhere(client)
    if not operators:
        raise CannotDo(f"no operator runs in {namespace}", "name its namespace with --namespace")
    spaces = sorted({pod["metadata"]["namespace"] for pod in operators})
    if len(spaces) > 1:
        raise CannotDo(f"operators run in {', '.join(spaces)}", "name one of these with --namespace")
    ready = [pod for pod in operators if _is_ready(pod)]
    if not ready:
        raise CannotDo(f"the operator in {spaces[0]} is not ready", "`coder-enterprise doctor` looks why")
    return _page(min(ready, key=lambda pod: str(pod["metadata"]["name"])))


async def _everywhere(client: KubernetesClient) -> list[dict[str, Any]]:
    """None where they may not look into all namespaces."""
    try:
        return await _operators(client, None)
    except KubernetesError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return []


async def _operators(client: KubernetesClient, namespace: str | None) -> list[dict[str, Any]]:
    found = [pod async for pods in client.pages(PODS, namespace, SELECTOR) for pod in pods]
    return [pod for pod in found if _arguments(pod) is not None]


def _arguments(pod: Mapping[str, Any]) -> Sequence[str] | None:
    """None for a pod of somebody else, whose component is called so, too."""
    for container in pod["spec"]["containers"]:
        arguments = [*(container.get("command") or ()), *(container.get("args") or ())]
        if COMMAND in arguments and any(each.startswith("--lease-name") for each in arguments):
            return arguments
    return None


def _is_ready(pod: Mapping[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _page(pod: Mapping[str, Any]) -> Page:
    arguments = _arguments(pod) or ()
    address = _option(arguments, "--page-address", DEFAULT_ADDRESS)
    if not address:
        raise CannotDo("the operator serves no page", "install the chart with page.enabled")
    scheme = "https" if _option(arguments, "--page-tls-cert", "") else "http"
    where = pod["metadata"]
    port = int(address.rpartition(":")[2])
    return Page(where["namespace"], where["name"], port, scheme, _option(arguments, "--page-mode", DEFAULT_MODE))


def _option(arguments: Sequence[str], name: str, default: str) -> str:
    for number, argument in enumerate(arguments):
        if argument == name and number + 1 < len(arguments):
            return arguments[number + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return default
