"""The typed client: one method per call that the operator makes, grouped by resource.

Used by the kinds, by way of `client.directory` where many objects share a list. Owns no state but the
transport. It reads both wire profiles: a list that is documented and an object that is real.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from pydantic import RootModel, TypeAdapter

from coder_enterprise.client import errors, proxy_records, records
from coder_enterprise.client.audit import AuditCalls
from coder_enterprise.client.bodies import ListOf
from coder_enterprise.client.calls import Calls, segment
from coder_enterprise.client.http import CallHooks, ConnectionSettings, Transport
from coder_enterprise.client.people import QuietHoursCalls, QuotaCalls, SCIMCalls, UserCalls
from coder_enterprise.client.scim_http import SCIMTransport
from coder_enterprise.wire.groups import CreateGroupRequest, PatchGroupRequest
from coder_enterprise.wire.licenses import AddLicenseRequest
from coder_enterprise.wire.proxies import TOKEN_HEADER, CreateWorkspaceProxyRequest, PatchWorkspaceProxy
from coder_enterprise.wire.template_acls import UpdateTemplateACLRequest

T = TypeVar("T")
_Body = RootModel[dict[str, Any]]

_READ_ONLY: Final = {"support_links", "docs_url"}
"""Of an appearance: settings of the server."""


def _list_of(model: type[T]) -> ListOf[T]:
    return ListOf(TypeAdapter(model), TypeAdapter(records.Many[model]))  # type: ignore[valid-type]


GROUPS: Final = _list_of(records.Group)
ORGANIZATIONS: Final = _list_of(records.Organization)
TEMPLATES: Final = _list_of(records.Template)
REPLICAS: Final = _list_of(records.Replica)
LICENSES: Final = _list_of(records.License)
PROVISIONER_DAEMONS: Final = _list_of(records.ProvisionerDaemon)
PROVISIONER_JOBS: Final = _list_of(records.ProvisionerJob)


MAX_DAEMONS: Final = 1000
"""Of one organization, which are counted: each is some 300 bytes of an answer that is read every minute."""
MAX_JOBS: Final = 200
"""Of one organization, which are counted: each is a kilobyte."""


class CoderClient:
    """All calls to one Coder server. Close it, or use it as an asynchronous context manager."""

    def __init__(self, settings: ConnectionSettings, hooks: CallHooks | None = None) -> None:
        self.settings = settings
        self._transport = Transport(settings, hooks)
        self.server = ServerCalls(self._transport)
        self.audit = AuditCalls(self._transport)
        self.users = UserCalls(self._transport)
        self.organizations = OrganizationCalls(self._transport)
        self.groups = GroupCalls(self._transport)
        self.quiet_hours = QuietHoursCalls(self._transport)
        self.quotas = QuotaCalls(self._transport)
        self._scim_transport = SCIMTransport(settings, hooks)
        self.scim = SCIMCalls(self._scim_transport)
        self.licenses = LicenseCalls(self._transport)
        self.appearance = AppearanceCalls(self._transport)
        self.proxies = ProxyCalls(self._transport)
        self.templates = TemplateCalls(self._transport)

    async def close(self) -> None:
        await self._transport.close()
        await self._scim_transport.close()

    async def __aenter__(self) -> CoderClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


class ServerCalls(Calls):
    """What a server says about itself."""

    async def build_info(self) -> records.BuildInfo:
        return await self._transport.get("buildinfo.get", "/buildinfo", records.BuildInfo)

    async def entitlements(self) -> records.Entitlements:
        return await self._transport.get("entitlements.get", "/entitlements", records.Entitlements)

    async def replicas(self) -> tuple[records.Replica, ...]:
        return await self._transport.get("replicas.list", "/replicas", REPLICAS)

    async def provisioner_daemons(self, organization_id: str) -> tuple[records.ProvisionerDaemon, ...]:
        path = f"/organizations/{segment(organization_id)}/provisionerdaemons"
        # Without a limit, Coder lists no more than 50.
        return await self._transport.get("provisionerdaemons.list", path, PROVISIONER_DAEMONS, limit=MAX_DAEMONS)

    async def unfinished_jobs(self, organization_id: str) -> tuple[records.ProvisionerJob, ...]:
        """The newest that wait for a provisioner or are with one. From Coder 2.19."""
        path = f"/organizations/{segment(organization_id)}/provisionerjobs"
        status = "pending,running,canceling"
        return await self._transport.get("provisionerjobs.list", path, PROVISIONER_JOBS, status=status, limit=MAX_JOBS)

    async def workspace_proxies(self) -> tuple[proxy_records.WorkspaceProxy, ...]:
        return (await self.proxy_lists()).proxies

    async def proxy_lists(self) -> proxy_records.ProxyLists:
        """The same, and in which of the two shapes the server sends it."""
        return await self._transport.get("workspaceproxies.list", "/workspaceproxies", proxy_records.ProxyLists)


class OrganizationCalls(Calls):
    async def get(self, reference: str) -> records.Organization:
        """By id, by name, or `default`. Below Coder 2.9 a server knows ids only."""
        path = f"/organizations/{segment(reference)}"
        return await self._transport.get("organizations.get", path, records.Organization)

    async def mine(self) -> tuple[records.Organization, ...]:
        """The organizations of the token's user: the only list that Coder below 2.14 has."""
        return await self._transport.get("organizations.list", "/users/me/organizations", ORGANIZATIONS)

    async def all(self) -> tuple[records.Organization, ...]:
        """All that the token's user may see. Raises `NotFound` or `BadRequest` below Coder 2.14."""
        return await self._transport.get("organizations.all", "/organizations", ORGANIZATIONS)


class GroupCalls(Calls):
    async def list(self, organization_id: str) -> tuple[records.Group, ...]:
        path = f"/organizations/{segment(organization_id)}/groups"
        return await self._transport.get("groups.list", path, GROUPS)

    async def get(self, group_id: str) -> records.Group:
        return await self._transport.get("groups.get", f"/groups/{segment(group_id)}", records.Group)

    async def by_name(self, organization_id: str, name: str) -> records.Group:
        path = f"/organizations/{segment(organization_id)}/groups/{segment(name)}"
        return await self._transport.get("groups.get", path, records.Group)

    async def create(self, organization_id: str, request: CreateGroupRequest) -> records.Group:
        path = f"/organizations/{segment(organization_id)}/groups"
        return await self._transport.send("groups.create", "POST", path, request, records.Group)

    async def update(self, group_id: str, request: PatchGroupRequest) -> records.Group:
        path = f"/groups/{segment(group_id)}"
        return await self._transport.send("groups.update", "PATCH", path, request, records.Group)

    async def delete(self, group_id: str) -> None:
        await self._transport.delete("groups.delete", f"/groups/{segment(group_id)}")


class LicenseCalls(Calls):
    async def list(self) -> tuple[records.License, ...]:
        """All of them, also those that have expired; none where the token's user may not see them."""
        return await self._transport.get("licenses.list", "/licenses", LICENSES)

    async def add(self, license_: str) -> records.License:
        """No error shows the licence, whatever the server quotes."""
        request = AddLicenseRequest(license=license_)
        try:
            return await self._transport.send("licenses.add", "POST", "/licenses", request, records.License)
        except errors.APIError as error:
            error.hide(license_)
            raise

    async def delete(self, license_id: str) -> None:
        async def is_gone() -> bool:
            return all(str(item.id) != license_id for item in await self.list())

        await self._transport.delete("licenses.delete", f"/licenses/{segment(license_id)}", is_gone=is_gone)


class AppearanceCalls(Calls):
    async def get(self) -> records.Appearance:
        """As it is shown: without a licence, and below Coder 2.8 in its grace period, all defaults."""
        return await self._transport.get("appearance.get", "/appearance", records.Appearance)

    async def put(self, appearance: records.Appearance) -> records.Appearance:
        """Replace all of it. The answer is without what is read-only.

        From Coder 2.12 `service_banner` is ignored and below `announcement_banners`, so that both are sent; so is what
        is not known here, or it would be cleared.
        """
        fields = appearance.model_dump(exclude=_READ_ONLY)
        return await self._transport.send("appearance.put", "PUT", "/appearance", _Body(fields), records.Appearance)


class ProxyCalls(Calls):
    """Workspace proxies; `CoderClient.server` lists them.

    A new token is shown once: real Coder has it in the body, and in the documented shapes it is in a header.
    """

    async def get(self, proxy_id: str) -> proxy_records.WorkspaceProxy:
        """By id, which finds deleted ones too."""
        return await self._transport.get("workspaceproxies.get", _proxy_path(proxy_id), proxy_records.WorkspaceProxy)

    async def create(self, request: CreateWorkspaceProxyRequest) -> tuple[proxy_records.WorkspaceProxy, str]:
        """The proxy, and its token; "" when the server shows none."""
        return await self._write("workspaceproxies.create", "POST", "/workspaceproxies", request)

    async def update(self, proxy_id: str, request: PatchWorkspaceProxy) -> tuple[proxy_records.WorkspaceProxy, str]:
        """The proxy, and its new token; "" when none was asked for, or the server shows none."""
        return await self._write("workspaceproxies.update", "PATCH", _proxy_path(proxy_id), request)

    async def delete(self, proxy_id: str) -> None:
        await self._transport.delete("workspaceproxies.delete", _proxy_path(proxy_id))

    async def _write(
        self, operation: str, method: str, path: str, request: CreateWorkspaceProxyRequest | PatchWorkspaceProxy
    ) -> tuple[proxy_records.WorkspaceProxy, str]:
        answer, header = await self._transport.send_and_see(
            operation, method, path, request, proxy_records.WrittenProxy, TOKEN_HEADER
        )
        return answer.proxy, answer.proxy_token or header


def _proxy_path(proxy_id: str) -> str:
    return f"/workspaceproxies/{segment(proxy_id)}"


class TemplateCalls(Calls):
    async def list(self, organization_id: str) -> tuple[records.Template, ...]:
        path = f"/organizations/{segment(organization_id)}/templates"
        return await self._transport.get("templates.list", path, TEMPLATES)

    async def get(self, template_id: str) -> records.Template:
        return await self._transport.get("templates.get", f"/templates/{segment(template_id)}", records.Template)

    async def by_name(self, organization_id: str, name: str) -> records.Template:
        path = f"/organizations/{segment(organization_id)}/templates/{segment(name)}"
        return await self._transport.get("templates.get", path, records.Template)

    async def acl(self, template_id: str) -> records.TemplateACL:
        path = f"/templates/{segment(template_id)}/acl"
        return await self._transport.get("templateacls.get", path, records.TemplateACL)

    async def update_acl(self, template_id: str, request: UpdateTemplateACLRequest) -> None:
        """Merged into what is there; an id without a role, "", loses its entry. Ids in lower case, with dashes: Coder
        takes others too, and they never have an effect."""
        path = f"/templates/{segment(template_id)}/acl"
        await self._transport.send("templateacls.update", "PATCH", path, request, records.Done)
