"""Labels of namespaces, for those CoderDeployments that select namespaces by them.

Asked by `controller.admission`. A label is looked up again after half a minute, so that one that is taken away counts
at the next visit after that. The operator needs the right to get the namespaces in question, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from coder_enterprise.client.clock import now
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Gone, KubernetesError
from coder_enterprise.cluster.paths import NAMESPACES

MAX_AGE: Final = 30.0
"""Seconds."""
MAX_KNOWN: Final = 4096

Labels = Mapping[str, str] | None
"""None when the operator may not get the namespace."""


class Namespaces:
    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._known: dict[str, tuple[float, Labels]] = {}

    async def labels(self, name: str) -> Labels:
        """Raises `KubernetesError`, but for a refusal."""
        read_at, labels = self._known.get(name, (float("-inf"), None))
        if now() - read_at < MAX_AGE:
            return labels
        labels = await self._read(name)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[name] = (now(), labels)
        return labels

    async def _read(self, name: str) -> Labels:
        try:
            body = await self._client.get(NAMESPACES, "", name)
        except Gone:
            return {}
        except KubernetesError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            return None
        labels: Mapping[str, str] = body["metadata"].get("labels") or {}
        return labels
