"""The objects that the doctor looks at: all that may be listed. What may not is a finding, and the others are read."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Gone, KubernetesError
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.registry import CONNECTION_KIND
from coder_enterprise.oncall import objects
from coder_enterprise.oncall.doctor.findings import CLUSTER, Finding
from coder_enterprise.oncall.errors import CannotDo

_CHECK = "objects"


async def declared(client: KubernetesClient, namespace: str | None) -> tuple[list[Resource], Sequence[Finding]]:
    """In that namespace or in all. Raises `KubernetesError` where nobody answers."""
    try:
        kinds = await objects.discover(client)
    except CannotDo as error:
        return [], [CLUSTER.failure(_CHECK, str(error), error.hint)]
    found: list[Resource] = []
    forbidden: list[str] = []
    for names in kinds:
        try:
            found += await objects.read(client, [names], namespace)
        except Gone:
            continue  # its CRD goes at this moment
        except KubernetesError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            forbidden.append(names.kind)
    return found, _forbidden(forbidden, namespace)


def _forbidden(kinds: Sequence[str], namespace: str | None) -> Sequence[Finding]:
    """Without CoderDeployments no Coder is looked at, which is no good news."""
    if not kinds:
        return []
    text = f"you may not list {', '.join(kinds)} {f'in {namespace}' if namespace else 'in all namespaces'}"
    step = "ask for that right, or name a namespace that you may look into with --namespace"
    if CONNECTION_KIND.names.kind in kinds:
        return [CLUSTER.failure(_CHECK, f"{text}, so no Coder is looked at", step)]
    return [CLUSTER.warning(_CHECK, text, step)]
