"""Workspace proxies as people see and change them, and regions.

The server itself is the proxy `primary`: its id is the deployment's, it is always there, and only what people see of
it can be changed. A proxy's token is made here and shown once; `services.registrations` is where proxies use it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, NotFound, RequestError, invalid, taken
from coder_enterprise.server.names import as_uuid
from coder_enterprise.server.services import audit
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.proxy_health import ProxyHealth, finding
from coder_enterprise.server.services.session_tokens import hash_secret
from coder_enterprise.server.storage import proxies, site_settings
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.proxies import Proxy
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.wire.proxies import (
    CreateWorkspaceProxyRequest,
    PatchWorkspaceProxy,
    ProxyWithToken,
    Region,
    RegionsResponse,
    SDKProxiesResponse,
    SDKWorkspaceProxy,
)

PRIMARY: Final = "primary"
RESERVED: Final = frozenset({PRIMARY, "me"})
PROXIES: Final = Subject(Kind.PROXY)
PRIMARY_SETTING: Final = "primary_proxy"
PRIMARY_DISPLAY_NAME: Final = "Default"
PRIMARY_ICON: Final = "/emojis/1f3e1.png"
MAX_NAME: Final = 64
MAX_DISPLAY_NAME: Final = 64
MAX_ICON: Final = 2048


class Proxies:
    def __init__(
        self, database: Database, entitlements: Entitlements, deployment: Deployment, health: ProxyHealth
    ) -> None:
        self._database = database
        self._entitlements = entitlements
        self._deployment = deployment
        self.health = health

    async def list(self, actor: Actor) -> SDKProxiesResponse:
        """The primary, then by name those that the actor may see."""
        self._entitlements.require(Feature.WORKSPACE_PROXY)
        visible = access.sees(actor, PROXIES)

        def work(connection: Connection) -> SDKProxiesResponse:
            rows = proxies.all_of(connection) if visible else []
            return SDKProxiesResponse(regions=[self._primary(connection), *map(self._to_wire, rows)])

        return await self._database.read(work)

    async def regions(self) -> RegionsResponse:
        """For everybody, and without a licence: the primary, then by name what serves more than DERP."""

        def work(connection: Connection) -> RegionsResponse:
            rows = [row for row in proxies.all_of(connection) if not row.derp_only]
            regions: list[Region] = [self._primary(connection), *map(self._to_wire, rows)]
            return RegionsResponse.model_construct(regions=regions)

        return await self._database.read(work)

    async def get(self, actor: Actor, reference: str) -> SDKWorkspaceProxy:
        """By id, which finds deleted ones too, or by name. Raises `NotFound`."""
        self._entitlements.require(Feature.WORKSPACE_PROXY)
        if self._is_primary(reference):
            return await self._database.read(self._primary)
        return self._to_wire(await self._database.read(lambda connection: _visible(connection, actor, reference)))

    async def create(self, actor: Actor, request: CreateWorkspaceProxyRequest) -> ProxyWithToken:
        """Raises `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        self._entitlements.require(Feature.WORKSPACE_PROXY)
        access.require(actor, Action.CREATE, PROXIES)
        _check(request.model_dump())
        row, token = _new_proxy(request)
        await self._database.write_as(actor, lambda connection, actor: _create(connection, actor, row))
        await self.health.check_soon(row.id)
        return ProxyWithToken(proxy=self._to_wire(row), proxy_token=token)

    async def patch(self, actor: Actor, reference: str, request: PatchWorkspaceProxy) -> ProxyWithToken:
        """Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        self._entitlements.require(Feature.WORKSPACE_PROXY)
        if self._is_primary(reference):
            return await self._patch_primary(actor, request)
        secret = _new_secret() if request.regenerate_token else ""
        row = await self._database.write_as(
            actor, lambda connection, actor: _patch(connection, actor, reference, request, secret)
        )
        await self.health.check_soon(row.id)
        return ProxyWithToken(proxy=self._to_wire(row), proxy_token=f"{row.id}:{secret}" if secret else "")

    async def delete(self, actor: Actor, reference: str) -> None:
        """Once more is no error. Raises `NotFound`, and `BadRequest` for the primary."""
        self._entitlements.require(Feature.WORKSPACE_PROXY)
        if self._is_primary(reference):
            raise BadRequest("The primary workspace proxy cannot be deleted.", "It is the server itself.")
        await self._database.write_as(actor, lambda connection, actor: _delete(connection, actor, reference))

    def _is_primary(self, reference: str) -> bool:
        return reference == PRIMARY or as_uuid(reference) == self._deployment.id

    async def _patch_primary(self, actor: Actor, request: PatchWorkspaceProxy) -> ProxyWithToken:
        access.require(actor, Action.UPDATE, PROXIES)
        if request.name not in (None, "", PRIMARY):
            raise invalid(name=f"the primary workspace proxy cannot be renamed; leave it out, or send {PRIMARY}")
        if request.regenerate_token:
            raise invalid(regenerate_token="the primary workspace proxy has no token")  # noqa: S106
        _check_id(request, self._deployment.id)
        values = _sent(request)
        _check(values)

        def work(connection: Connection, actor: Actor) -> SDKWorkspaceProxy:
            access.require(actor, Action.UPDATE, PROXIES)
            before = site_settings.get(connection, PRIMARY_SETTING) or {}
            after = before | values
            if after != before:
                site_settings.put(connection, PRIMARY_SETTING, after)
                resource = ("workspace_proxy", self._deployment.id, PRIMARY)
                audit.record(connection, actor.id, "write", resource, before=before, after=after)
            return self._primary(connection)

        return ProxyWithToken(proxy=await self._database.write_as(actor, work), proxy_token="")

    def _primary(self, connection: Connection) -> SDKWorkspaceProxy:
        chosen = site_settings.get(connection, PRIMARY_SETTING) or {}
        return SDKWorkspaceProxy.model_construct(
            id=self._deployment.id,
            name=PRIMARY,
            display_name=chosen.get("display_name") or PRIMARY_DISPLAY_NAME,
            icon_url=chosen.get("icon") or PRIMARY_ICON,
            healthy=True,
            path_app_url=self._deployment.access_url,
            wildcard_hostname="",
            derp_enabled=False,
            derp_only=False,
            status=finding("ok", now()),
            created_at=NEVER,
            updated_at=NEVER,
            deleted=False,
            version=self._deployment.version,
        )

    def _to_wire(self, row: Proxy) -> SDKWorkspaceProxy:
        """The row comes from the database, so it is not validated again."""
        status = self.health.of(row)
        return SDKWorkspaceProxy.model_construct(
            id=row.id,
            name=row.name,
            display_name=row.display_name,
            icon_url=row.icon,
            healthy=status.status == "ok",
            path_app_url=row.url,
            wildcard_hostname=row.wildcard_hostname,
            derp_enabled=row.derp_enabled,
            derp_only=row.derp_only,
            status=status,
            created_at=row.created_at,
            updated_at=row.updated_at,
            deleted=row.deleted,
            version=row.version,
        )


def _visible(connection: Connection, actor: Actor, reference: str) -> Proxy:
    """Also one that is deleted, by its id. Raises `NotFound`."""
    row = None
    if access.sees(actor, PROXIES):
        proxy_id = as_uuid(reference)
        row = proxies.by_name(connection, reference) if proxy_id is None else proxies.get(connection, proxy_id)
    if row is None:
        raise NotFound
    return row


def _new_proxy(request: CreateWorkspaceProxyRequest) -> tuple[Proxy, str]:
    """It, and its token."""
    proxy_id, secret, moment = uuid4(), _new_secret(), now()
    row = Proxy(
        id=proxy_id,
        name=request.name,
        display_name=request.display_name,
        icon=request.icon,
        token_hash=hash_secret(secret),
        url="",
        wildcard_hostname="",
        derp_enabled=True,
        derp_only=False,
        version="",
        deleted=False,
        created_at=moment,
        updated_at=moment,
    )
    return row, f"{proxy_id}:{secret}"


def _new_secret() -> str:
    """64 hexadecimal digits."""
    return secrets.token_hex(32)


def _create(connection: Connection, actor: Actor, row: Proxy) -> None:
    access.require(actor, Action.CREATE, PROXIES)
    try:
        proxies.create(connection, row)
    except Duplicate:
        raise _taken(row.name) from None
    audit.record(connection, actor.id, "create", _resource(row), after=_shown(row))


def _patch(connection: Connection, actor: Actor, reference: str, request: PatchWorkspaceProxy, secret: str) -> Proxy:
    row = _visible(connection, actor, reference)
    if row.deleted:
        raise NotFound
    access.require(actor, Action.UPDATE, PROXIES)
    _check_id(request, row.id)
    values = {name: value for name, value in _sent(request).items() if value != getattr(row, name)}
    if request.name and request.name != row.name:
        values["name"] = request.name
    _check(values)
    if secret:
        values["token_hash"] = hash_secret(secret)
    if not values:
        return row
    values["updated_at"] = now()
    changed = row._replace(**values)
    try:
        proxies.update_fields(connection, row.id, values)
    except Duplicate:
        raise _taken(changed.name) from None
    after = _shown(changed) | ({"token": "regenerated"} if secret else {})
    audit.record(connection, actor.id, "write", _resource(changed), before=_shown(row), after=after)
    return changed


def _delete(connection: Connection, actor: Actor, reference: str) -> None:
    row = _visible(connection, actor, reference)
    access.require(actor, Action.DELETE, PROXIES)
    if not row.deleted:
        proxies.delete(connection, row.id, now())
        audit.record(connection, actor.id, "delete", _resource(row), before=_shown(row))


def _sent(request: PatchWorkspaceProxy) -> dict[str, Any]:
    return request.model_dump(include={"display_name", "icon"}, exclude_none=True)


def _check_id(request: PatchWorkspaceProxy, proxy_id: UUID) -> None:
    if request.id and as_uuid(request.id) != proxy_id:
        raise invalid(id=f"is not the id of the proxy in the path, which is {proxy_id}; leave it out, or correct it")


def _check(values: Mapping[str, Any]) -> None:
    """Raises `BadRequest` that names each field that breaks a rule."""
    problems: dict[str, str] = {}
    if "name" in values and (problem := names.name_problem(values["name"], MAX_NAME, RESERVED)):
        problems["name"] = problem
    if problem := names.text_problem(values.get("display_name") or "", MAX_DISPLAY_NAME):
        problems["display_name"] = problem
    if len(values.get("icon") or "") > MAX_ICON:
        problems["icon"] = f"must have at most {MAX_ICON} characters"
    if problems:
        raise invalid(**problems)


def _taken(name: str) -> RequestError:
    return taken(f"A workspace proxy named {name!r} already exists.")


def _resource(row: Proxy) -> tuple[str, UUID, str]:
    return "workspace_proxy", row.id, row.name


def _shown(row: Proxy) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("name", "display_name", "icon", "url", "wildcard_hostname")}
