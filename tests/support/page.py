"""A page without a cluster: a store that tests fill with objects, and a server that shows it on a real socket."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from kubernetes.aio.client import Configuration

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.controller.beside import Beside
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.events import Sent
from coder_enterprise.controller.history import History
from coder_enterprise.controller.index import Index
from coder_enterprise.controller.journal import Journal
from coder_enterprise.controller.queue import Queue
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.kinds.registry import CONNECTION_KIND, KINDS, MANAGED_KINDS
from coder_enterprise.page.server import PageServer
from coder_enterprise.page.settings import PageSettings
from coder_enterprise.process.addresses import Address, listen, url_of

TEAM: Final = "team"
SINCE: Final = "2026-01-02T03:04:05Z"
NOWHERE: Final = Configuration(host="http://127.0.0.1:9")
"""Of a cluster that does not answer."""


class Shown:
    """Objects, as the operator would know them."""

    def __init__(self) -> None:
        self.listed = True
        self.elsewhere: set[Key] = set()
        """Deployments that another replica works for."""
        self.sent: dict[Key, Sequence[Sent]] = {}
        """Events that the operator has sent about them."""
        index = Index(CONNECTION_KIND, MANAGED_KINDS)
        self.store = Store(index.terms, self._changed)
        self.connections = Connections(cast("Beside", None))
        self.journal, self.history = Journal(), History()
        names = [kind.names for kind in KINDS]
        self.queue = Queue()
        self.view = View(
            names,
            self.store,
            index,
            self.connections,
            self.queue,
            self.journal,
            self.history,
            lambda: self.listed,
            lambda deployment: deployment not in self.elsewhere,
            lambda key: self.sent.get(key, ()),
        )
        self._versions = itertools.count(1)

    def put(
        self,
        kind: str,
        name: str,
        namespace: str = TEAM,
        /,
        *,
        spec: Mapping[str, Any] | None = None,
        status: Mapping[str, Any] | None = None,
        conditions: Sequence[Mapping[str, Any]] | None = None,
        **metadata: Any,
    ) -> Resource:
        """That object, new or another than before; Ready unless `conditions` says otherwise."""
        version = str(next(self._versions))
        meta = {
            "namespace": namespace,
            "name": name,
            "uid": f"{kind}/{namespace}/{name}",
            "generation": 1,
            "creationTimestamp": SINCE,
            **metadata,
            "resourceVersion": version,
        }
        said = list(conditions) if conditions is not None else [condition()]
        body = {
            "metadata": meta,
            "spec": spec or {},
            "status": {"observedGeneration": 1, "conditions": said, **(status or {})},
        }
        resource = Resource.from_body(kind, body)
        assert self.store.put(resource)
        return resource

    def deployment(self, name: str = "coder", namespace: str = TEAM, /, **more: Any) -> Resource:
        spec = {"url": "https://coder.example.com", "tokenSecretRef": {"name": "token"}}
        more.setdefault("conditions", [condition(reason="Connected", message="connected")])
        return self.put("CoderDeployment", name, namespace, spec=spec, **more)

    def remove(self, kind: str, name: str, namespace: str = TEAM, /) -> None:
        assert self.store.remove(Key(kind, namespace, name), f"{kind}/{namespace}/{name}")

    def _changed(self, before: Resource | None, after: Resource | None) -> None:
        changed = after or before
        assert changed
        self.view.tell(changed.key)


def condition(
    type_: str = "Ready", status: str = "True", reason: str = "Applied", message: str = "applied", since: str = SINCE
) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


class Served:
    """The page of `shown` on a free port of loopback, with what else `settings` says; gives its URL. It asks `cluster`
    who somebody is."""

    def __init__(self, shown: Shown, cluster: Configuration = NOWHERE, **settings: Any) -> None:
        self._shown = shown
        self._cluster = cluster
        self._settings = PageSettings(listen("test", Address("127.0.0.1", 0)), **settings)

    @property
    def listener(self) -> socket.socket:
        return self._settings.listener

    async def __aenter__(self) -> str:
        url = url_of(self._settings.listener, "https" if self._settings.certificate else "http")
        self._client = KubernetesClient(self._cluster)
        self._server = PageServer(self._shown.view, self._client, self._settings)
        await self._server.__aenter__()
        return url

    async def __aexit__(self, *exception: object) -> None:
        await self._server.__aexit__(*exception)
        await self._client.__aexit__(*exception)
