"""What workspace proxies themselves ask for: to register, again and again, and to leave.

Each sends its token, `<id>:<64 hexadecimal digits>`, of which only a hash is stored. Every process of a proxy is a
replica with an id of its own. One that has left cannot return: a new process has a new id.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from coder_enterprise.server.errors import NotFound, Unauthorized, invalid
from coder_enterprise.server.names import as_uuid
from coder_enterprise.server.services import audit
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.proxy_health import ProxyHealth
from coder_enterprise.server.services.replica_views import to_wire
from coder_enterprise.server.services.session_tokens import hash_secret
from coder_enterprise.server.storage import proxies, replicas, site_settings
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.proxies import Proxy
from coder_enterprise.server.storage.replicas import Replica
from coder_enterprise.wire.buildinfo import same_release
from coder_enterprise.wire.proxies import (
    PROXY_AUTHENTICATION,
    DeregisterWorkspaceProxyRequest,
    RegisterWorkspaceProxyRequest,
    RegisterWorkspaceProxyResponse,
)

ALIVE: Final = timedelta(seconds=90)
"""Proxies register every 30 seconds: a sibling may miss two of them."""
BASE_REGION: Final = 10_000
"""Above all regions of a DERP map, as in Coder."""
APP_SECURITY_KEY: Final = "app_security_key"
DERP_MESH_KEY: Final = "derp_mesh_key"
MAX_VERSION: Final = 128
MAX_URL: Final = 2048
MAX_HOSTNAME: Final = 253
MAX_ERROR: Final = 8192

_SECRET_FORM: Final = re.compile(r"[0-9a-f]{64}")
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_WILDCARD_FORM: Final = re.compile(rf"\*([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?(\.{_LABEL})+")


class Registrations:
    def __init__(
        self,
        database: Database,
        entitlements: Entitlements,
        health: ProxyHealth,
        version: str,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`version` is the one that the server announces."""
        self._database = database
        self._entitlements = entitlements
        self._health = health
        self._version = version
        self._clock = clock

    async def authenticate(self, token: str) -> None:
        """Raises `Unauthorized`. The other methods check once more, in their transaction."""
        self._entitlements.require(Feature.WORKSPACE_PROXY)
        await self._database.look_up(lambda connection: _authenticate(connection, token))

    async def register(self, token: str, request: RegisterWorkspaceProxyRequest) -> RegisterWorkspaceProxyResponse:
        """Raises `Unauthorized`, and `BadRequest` that names the fields."""
        self._entitlements.require(Feature.WORKSPACE_PROXY)
        moment = self._clock()

        def work(connection: Connection) -> tuple[UUID, RegisterWorkspaceProxyResponse]:
            proxy = _authenticate(connection, token)
            return proxy.id, _register(connection, proxy, request, moment, self._version)

        proxy_id, response = await self._database.write(work)
        await self._health.check_soon(proxy_id)
        return response

    async def deregister(self, token: str, request: DeregisterWorkspaceProxyRequest) -> None:
        """Raises `Unauthorized`, `BadRequest`, and `NotFound` for a replica that is not there, or not any more."""
        self._entitlements.require(Feature.WORKSPACE_PROXY)
        moment = self._clock()

        def work(connection: Connection) -> UUID:
            proxy = _authenticate(connection, token)
            _deregister(connection, proxy, request, moment)
            return proxy.id

        await self._health.check_soon(await self._database.write(work))


def _authenticate(connection: Connection, token: str) -> Proxy:
    """Raises `Unauthorized`."""
    if not token:
        raise _refused("is missing")
    reference, _, secret = token.partition(":")
    proxy_id = as_uuid(reference)
    if proxy_id is None or not _SECRET_FORM.fullmatch(secret):
        raise _refused("is malformed: it must be an id, a colon and 64 hexadecimal digits")
    proxy = proxies.get(connection, proxy_id)
    if proxy is None:
        raise _refused("names no workspace proxy")
    if not hmac.compare_digest(hash_secret(secret), proxy.token_hash):
        raise _refused("is not this proxy's: another one was made since, or it never was")
    if proxy.deleted:
        raise _refused("is of a workspace proxy that is deleted")
    return proxy


def _refused(cause: str) -> Unauthorized:
    return Unauthorized("The workspace proxy's token was refused.", f"{PROXY_AUTHENTICATION} {cause}.")


def _register(
    connection: Connection, proxy: Proxy, request: RegisterWorkspaceProxyRequest, moment: datetime, version: str
) -> RegisterWorkspaceProxyResponse:
    region_id = BASE_REGION + proxies.serial(connection, proxy.id)
    replica_id = as_uuid(request.replica_id) or UUID(int=0)
    known = replicas.get(connection, replica_id)
    problems = _problems(request, version) | _replica_problems(replica_id, known, region_id)
    if problems:
        raise invalid(**problems)
    _keep(connection, proxy, request, moment)
    replicas.put(
        connection,
        Replica(
            id=replica_id,
            is_primary=False,
            region_id=region_id,
            hostname=request.hostname,
            relay_address=request.replica_relay_address,
            error=request.replica_error if known else "",
            database_latency=0,
            created_at=known.created_at if known else moment,
            seen_at=moment,
            stopped_at=None,
        ),
    )
    living = replicas.living(connection, moment - ALIVE, is_primary=False, region_id=region_id)
    return RegisterWorkspaceProxyResponse(
        app_security_key=_ensure_key(connection, APP_SECURITY_KEY, 96),
        derp_mesh_key=_ensure_key(connection, DERP_MESH_KEY, 32),
        derp_region_id=region_id,
        sibling_replicas=[to_wire(row) for row in living if row.id != replica_id],
    )


def _keep(connection: Connection, proxy: Proxy, request: RegisterWorkspaceProxyRequest, moment: datetime) -> None:
    """What the proxy says of itself; the same once more writes nothing."""
    said: dict[str, Any] = {
        "url": request.access_url.rstrip("/"),
        "wildcard_hostname": request.wildcard_hostname,
        "derp_enabled": request.derp_enabled,
        "derp_only": request.derp_only,
        "version": request.version,
    }
    values = {name: value for name, value in said.items() if value != getattr(proxy, name)}
    if values:
        proxies.update_fields(connection, proxy.id, {**values, "updated_at": moment})
        before = {name: getattr(proxy, name) for name in values}
        resource = ("workspace_proxy", proxy.id, proxy.name)
        audit.record(connection, None, "register", resource, before=before, after=values)


def _deregister(
    connection: Connection, proxy: Proxy, request: DeregisterWorkspaceProxyRequest, moment: datetime
) -> None:
    replica_id = as_uuid(request.replica_id)
    if replica_id is None:
        raise invalid(replica_id="must be a UUID")
    region_id = BASE_REGION + proxies.serial(connection, proxy.id)
    known = replicas.get(connection, replica_id)
    if known is None or known.is_primary or known.region_id != region_id or known.stopped_at is not None:
        raise NotFound
    replicas.stop(connection, replica_id, moment)


def _problems(request: RegisterWorkspaceProxyRequest, version: str) -> dict[str, str]:
    """What is wrong with which field."""
    problems: dict[str, str] = {}
    if len(request.version) > MAX_VERSION or not same_release(request.version, version):
        problems["version"] = f"must be of the server's own release, which is {version}: use that one for the proxy"
    if not _is_base_url(request.access_url):
        problems["access_url"] = "must be http:// or https:// with a host, and no path, such as https://eu.example.com"
    wildcard = request.wildcard_hostname
    if wildcard and (len(wildcard) > MAX_HOSTNAME or not _WILDCARD_FORM.fullmatch(wildcard)):
        problems["wildcard_hostname"] = "must be a host name that starts with its only *, such as *.eu.example.com"
    if request.derp_only and not request.derp_enabled:
        problems["derp_only"] = "needs derp_enabled"
    if len(request.hostname) > MAX_HOSTNAME:
        problems["hostname"] = f"must have at most {MAX_HOSTNAME} characters"
    if len(request.replica_relay_address) > MAX_URL:
        problems["replica_relay_address"] = f"must have at most {MAX_URL} characters"
    if len(request.replica_error) > MAX_ERROR:
        problems["replica_error"] = f"must have at most {MAX_ERROR} characters"
    return problems


def _replica_problems(replica_id: UUID, known: Replica | None, region_id: int) -> dict[str, str]:
    if replica_id == UUID(int=0):
        return {"replica_id": "is required: a UUID other than zero, made anew at each start of the proxy"}
    if known is None:
        return {}
    if known.is_primary or known.region_id != region_id:
        return {"replica_id": "is another's; make one anew at each start of the proxy"}
    if known.stopped_at is not None:
        return {"replica_id": "has been deregistered and cannot return; make one anew at each start of the proxy"}
    return {}


def _is_base_url(text: str) -> bool:
    if len(text) > MAX_URL or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    ours = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and port != 0
        and parts.path in ("", "/")
        and text.lower() == ours.lower()
    )


def _ensure_key(connection: Connection, name: str, size: int) -> str:
    """The deployment's secret of that name, made when it is first needed: `size` bytes as hexadecimal digits."""
    known = site_settings.get(connection, name)
    if isinstance(known, str):
        return known
    made = secrets.token_hex(size)
    site_settings.put(connection, name, made)
    return made
