"""Which workspace proxies Coder has, and what of one a reconcile knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from coder_enterprise.client import errors, proxy_records
from coder_enterprise.client.snapshots import Snapshot
from coder_enterprise.kinds.machinery.base import Context, Observation
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import ROTATE_TOKEN_AT, Resource
from coder_enterprise.kinds.proxy.spec import MAX_ANNOTATION
from coder_enterprise.kinds.proxy.workload_body import workload_name
from coder_enterprise.kinds.proxy.workload_spec import TOKEN_KEY

OWNER: Final = "owner"


class ProxyIndex:
    """The proxies that are not deleted, by id and by name in lower case."""

    def __init__(self, proxies: Iterable[proxy_records.WorkspaceProxy]) -> None:
        self._by_id = {proxy.id: proxy for proxy in proxies if not proxy.deleted}

    def get(self, proxy_id: str) -> proxy_records.WorkspaceProxy | None:
        return self._by_id.get(proxy_id)

    def named(self, name: str) -> proxy_records.WorkspaceProxy | None:
        return next((proxy for proxy in self._by_id.values() if proxy.name.lower() == name.lower()), None)

    def put(self, proxy: proxy_records.WorkspaceProxy) -> None:
        self._by_id[proxy.id] = proxy

    def drop(self, proxy_id: str) -> None:
        self._by_id.pop(proxy_id, None)


@dataclass(frozen=True, kw_only=True)
class ObservedProxy(Observation):
    resource: Resource
    name: str
    """As declared."""
    proxy: proxy_records.WorkspaceProxy | None
    namesake: proxy_records.WorkspaceProxy | None
    """Who has the declared name now; mostly the proxy itself."""
    primary_url: str
    secret: Mapping[str, str] | None = field(repr=False)
    """The Secret's values; None when there is no such Secret."""
    intact: bool = True
    """The Secret has the label and the owner that it was written with."""
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
        return workload_name(self.resource.key.name)


def listed(context: Context) -> Snapshot[ProxyIndex]:
    async def load() -> ProxyIndex:
        try:
            return ProxyIndex(await context.client.server.workspace_proxies())
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


async def find_unlisted(context: Context, proxy_id: str) -> proxy_records.WorkspaceProxy | None:
    """None when it is proven to be deleted."""
    try:
        proxy = await context.client.proxies.get(proxy_id)
    except errors.NotFound as error:
        await prove_gone(context, error)
        return None
    return None if proxy.deleted else proxy


async def prove_gone(context: Context, error: errors.NotFound) -> None:
    """Coder answers 404 for what is gone, and for what the token may not see; only an owner sees all. Raises then."""
    if error.route_missing:
        raise _not_served(error) from None
    me = await context.client.users.me()
    if not any(role.name == OWNER for role in me.roles):
        raise error
