"""The Secrets that objects keep for themselves, as they were read last: a workspace proxy is looked at every few
seconds, and its Secret hardly ever changes.

Owned by the engine, which says what the watch of labelled Secrets tells; read by `controller.beside`. A Secret without
the label is read each time, since nobody would tell of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from coder_enterprise.client.clock import now
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.paths import SECRETS
from coder_enterprise.cluster.secrets import Secret

MAX_AGE: Final = 600.0
"""Seconds, for what a watch did not tell."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Read:
    body: Body = field(repr=False)
    at: float


class KeptSecrets:
    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._read: dict[tuple[str, str], _Read] = {}
        self._changes = 0

    async def get(self, namespace: str, name: str, *, fresh: bool) -> Body:
        """Raises `KubernetesError`; `Gone` when there is none."""
        known = self._read.get((namespace, name))
        if known is not None and not fresh and now() - known.at < MAX_AGE:
            return known.body
        # What changes while it is being read may not be in the answer, though its event has come by then.
        changes, began = self._changes, now()
        self._read.pop((namespace, name), None)
        body = await self._client.get(SECRETS, namespace, name)
        if changes == self._changes and Secret.from_body(body).is_watched:
            self._read[namespace, name] = _Read(body, began)
        return body

    def changed(self, namespace: str, name: str) -> None:
        """The watch tells of it, or it was written."""
        self._changes += 1
        self._read.pop((namespace, name), None)

    def forget(self) -> None:
        """A watch begins anew, and nobody knows what the last one did not tell."""
        self._changes += 1
        self._read.clear()
