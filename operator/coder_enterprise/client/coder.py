"""The typed client: one method per call that the operator makes, grouped by resource.

Used by the kinds, by way of `client.directory` where many objects share a list. Owns no state but the
transport. It reads both wire profiles: a list that is documented and an object that is real.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, RootModel, TypeAdapter

from coder_enterprise.client import errors, records, scim
from coder_enterprise.client.bodies import ListOf
from coder_enterprise.client.http import CallHooks, ConnectionSettings, SCIMTransport, Transport
from coder_enterprise.wire.groups import CreateGroupRequest, PatchGroupRequest
from coder_enterprise.wire.licenses import AddLicenseRequest
from coder_enterprise.wire.proxies import TOKEN_HEADER, CreateWorkspaceProxyRequest, PatchWorkspaceProxy
from coder_enterprise.wire.quiet_hours import UpdateQuietHoursRequest
from coder_enterprise.wire.template_acls import UpdateTemplateACLRequest
from coder_enterprise.wire.users import CreateUserRequest, UpdateProfileRequest, UpdateRolesRequest

T = TypeVar("T")
_Body = RootModel[dict[str, Any]]

_READ_ONLY: Final = {"support_links", "docs_url"}
"""Of an appearance: settings of the server."""
USERS_PAGE: Final = 1000
USERS_ATTEMPTS: Final = 3


def _list_of(model: type[T]) -> ListOf[T]:
    return ListOf(TypeAdapter(model), TypeAdapter(records.Many[model]))  # type: ignore[valid-type]


def _only(value: Any) -> Any:
    """The page documents an array where servers answer one object."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


GROUPS: Final = _list_of(records.Group)
ORGANIZATIONS: Final = _list_of(records.Organization)
TEMPLATES: Final = _list_of(records.Template)
REPLICAS: Final = _list_of(records.Replica)
LICENSES: Final = _list_of(records.License)
PROVISIONER_DAEMONS: Final = _list_of(records.ProvisionerDaemon)
QUIET_HOURS: Final[TypeAdapter[records.QuietHours]] = TypeAdapter(Annotated[records.QuietHours, BeforeValidator(_only)])


class CoderClient:
    """All calls to one Coder server. Close it, or use it as an asynchronous context manager."""

    def __init__(self, settings: ConnectionSettings, hooks: CallHooks | None = None) -> None:
        self.settings = settings
        self._transport = Transport(settings, hooks)
        self.deployment = DeploymentCalls(self._transport)
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


class _Calls:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport


class DeploymentCalls(_Calls):
    """What a server says about itself."""

    async def build_info(self) -> records.BuildInfo:
        return await self._transport.get("buildinfo.get", "/buildinfo", records.BuildInfo)

    async def entitlements(self) -> records.Entitlements:
        return await self._transport.get("entitlements.get", "/entitlements", records.Entitlements)

    async def replicas(self) -> tuple[records.Replica, ...]:
        return await self._transport.get("replicas.list", "/replicas", REPLICAS)

    async def provisioner_daemons(self, organization_id: str) -> tuple[records.ProvisionerDaemon, ...]:
        path = f"/organizations/{_segment(organization_id)}/provisionerdaemons"
        return await self._transport.get("provisionerdaemons.list", path, PROVISIONER_DAEMONS)

    async def workspace_proxies(self) -> tuple[records.WorkspaceProxy, ...]:
        return (await self.proxy_lists()).proxies

    async def proxy_lists(self) -> records.ProxyLists:
        """The same, and in which of the two shapes the server sends it."""
        return await self._transport.get("workspaceproxies.list", "/workspaceproxies", records.ProxyLists)


class UserCalls(_Calls):
    async def me(self) -> records.User:
        return await self._transport.get("users.me", "/users/me", records.User)

    async def own_key(self) -> records.APIKey:
        """The session token that this client sends, without its secret part."""
        key_id = self._transport.settings.token.partition("-")[0]
        return await self._transport.get("keys.get", f"/users/me/keys/{_segment(key_id)}", records.APIKey)

    async def get(self, reference: str) -> records.User:
        """By id or username. An id also finds whoever is deleted, unmarked; a username does not.

        Raises `errors.BadRequest` for an unknown user.
        """
        return await self._transport.get("users.get", f"/users/{_segment(reference)}", records.User)

    async def create(self, request: CreateUserRequest) -> records.User:
        return await self._transport.send("users.create", "POST", "/users", request, records.User)

    async def set_profile(self, user_id: str, request: UpdateProfileRequest) -> records.User:
        return await self._put("users.profile", user_id, "profile", request)

    async def set_roles(self, user_id: str, request: UpdateRolesRequest) -> records.User:
        """The roles in the deployment: these and no others."""
        return await self._put("users.roles", user_id, "roles", request)

    async def suspend(self, user_id: str) -> records.User:
        return await self._put("users.suspend", user_id, "status/suspend")

    async def activate(self, user_id: str) -> records.User:
        return await self._put("users.activate", user_id, "status/activate")

    async def delete(self, user_id: str) -> None:
        await self._transport.delete("users.delete", f"/users/{_segment(user_id)}")

    async def _put(self, operation: str, user_id: str, what: str, body: BaseModel | None = None) -> records.User:
        return await self._transport.send(operation, "PUT", f"/users/{_segment(user_id)}/{what}", body, records.User)

    async def list(self) -> tuple[records.User, ...]:
        """Every user that is not deleted, in pages.

        Pages are cut from a sorted list: when someone in an earlier page is deleted meanwhile, someone is skipped, and
        would look as if he did not exist. So a list whose length has changed is read again.
        """
        for _ in range(USERS_ATTEMPTS):
            users, steady = await self._read_pages()
            if steady:
                break
        return users

    async def _read_pages(self) -> tuple[tuple[records.User, ...], bool]:
        """All pages, and whether the list stayed the same from the first to the last, as far as one can see."""
        users: dict[str, records.User] = {}
        counts: set[int] = set()
        read = 0
        while True:
            page = await self._transport.get("users.list", "/users", records.UserPage, limit=USERS_PAGE, offset=read)
            known = len(users)
            users |= {user.id: user for user in page.users}
            read += len(page.users)
            if page.users:  # past the last one Coder counts 0
                counts.add(page.count)
            more = read < page.count if page.count else len(page.users) >= USERS_PAGE
            if not more or len(users) == known:
                return tuple(users.values()), len(counts) <= 1 and len(users) == read


class QuietHoursCalls(_Calls):
    async def get(self, user_id: str) -> records.QuietHours:
        """Raises `errors.Forbidden` or `errors.NotFound` where they are not licensed, or switched off."""
        return await self._transport.get("quiet-hours.get", _quiet_hours(user_id), QUIET_HOURS)

    async def set(self, user_id: str, schedule: str) -> records.QuietHours:
        request = UpdateQuietHoursRequest(schedule=schedule)
        return await self._transport.send("quiet-hours.set", "PUT", _quiet_hours(user_id), request, QUIET_HOURS)


class QuotaCalls(_Calls):
    async def get(self, user_id: str) -> records.Quota:
        """From Coder 2.15 on: in the default organization only."""
        return await self._transport.get("workspace-quota.get", f"/workspace-quota/{_segment(user_id)}", records.Quota)


class SCIMCalls(_Calls):
    """What an identity provider does. The answers echo the request: to know how a user is, ask the API."""

    async def create(self, username: str, email: str, name: str, *, active: bool) -> records.SCIMUser:
        """Also finds whoever has that e-mail or username already, and changes nothing then."""
        body = scim.new_user(username, email, name, active=active)
        return await self._transport.send("scim.create", "POST", "/Users", body, records.SCIMUser)

    async def set_active(self, user_id: str, active: bool) -> records.SCIMUser:
        body = scim.activation(active)
        return await self._transport.send("scim.update", "PATCH", f"/Users/{_segment(user_id)}", body, records.SCIMUser)


class OrganizationCalls(_Calls):
    async def get(self, reference: str) -> records.Organization:
        """By id, by name, or `default`. Below Coder 2.9 a server knows ids only."""
        path = f"/organizations/{_segment(reference)}"
        return await self._transport.get("organizations.get", path, records.Organization)

    async def mine(self) -> tuple[records.Organization, ...]:
        """The organizations of the token's user: the only list that Coder below 2.14 has."""
        return await self._transport.get("organizations.list", "/users/me/organizations", ORGANIZATIONS)

    async def all(self) -> tuple[records.Organization, ...]:
        """All that the token's user may see. Raises `NotFound` or `BadRequest` below Coder 2.14."""
        return await self._transport.get("organizations.all", "/organizations", ORGANIZATIONS)


class GroupCalls(_Calls):
    async def list(self, organization_id: str) -> tuple[records.Group, ...]:
        path = f"/organizations/{_segment(organization_id)}/groups"
        return await self._transport.get("groups.list", path, GROUPS)

    async def get(self, group_id: str) -> records.Group:
        return await self._transport.get("groups.get", f"/groups/{_segment(group_id)}", records.Group)

    async def by_name(self, organization_id: str, name: str) -> records.Group:
        path = f"/organizations/{_segment(organization_id)}/groups/{_segment(name)}"
        return await self._transport.get("groups.get", path, records.Group)

    async def create(self, organization_id: str, request: CreateGroupRequest) -> records.Group:
        path = f"/organizations/{_segment(organization_id)}/groups"
        return await self._transport.send("groups.create", "POST", path, request, records.Group)

    async def update(self, group_id: str, request: PatchGroupRequest) -> records.Group:
        path = f"/groups/{_segment(group_id)}"
        return await self._transport.send("groups.update", "PATCH", path, request, records.Group)

    async def delete(self, group_id: str) -> None:
        await self._transport.delete("groups.delete", f"/groups/{_segment(group_id)}")


class LicenseCalls(_Calls):
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
        await self._transport.delete("licenses.delete", f"/licenses/{_segment(license_id)}")


class AppearanceCalls(_Calls):
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


class ProxyCalls(_Calls):
    """Workspace proxies; `CoderClient.deployment` lists them.

    A new token is shown once: real Coder has it in the body, and in the documented shapes it is in a header.
    """

    async def get(self, proxy_id: str) -> records.WorkspaceProxy:
        """By id, which finds deleted ones too."""
        return await self._transport.get("workspaceproxies.get", _proxy_path(proxy_id), records.WorkspaceProxy)

    async def create(self, request: CreateWorkspaceProxyRequest) -> tuple[records.WorkspaceProxy, str]:
        """The proxy, and its token; "" when the server shows none."""
        return await self._write("workspaceproxies.create", "POST", "/workspaceproxies", request)

    async def update(self, proxy_id: str, request: PatchWorkspaceProxy) -> tuple[records.WorkspaceProxy, str]:
        """The proxy, and its new token; "" when none was asked for, or the server shows none."""
        return await self._write("workspaceproxies.update", "PATCH", _proxy_path(proxy_id), request)

    async def delete(self, proxy_id: str) -> None:
        await self._transport.delete("workspaceproxies.delete", _proxy_path(proxy_id))

    async def _write(
        self, operation: str, method: str, path: str, request: CreateWorkspaceProxyRequest | PatchWorkspaceProxy
    ) -> tuple[records.WorkspaceProxy, str]:
        answer, header = await self._transport.send_and_see(
            operation, method, path, request, records.WrittenProxy, TOKEN_HEADER
        )
        return answer.proxy, answer.proxy_token or header


def _proxy_path(proxy_id: str) -> str:
    return f"/workspaceproxies/{_segment(proxy_id)}"


class TemplateCalls(_Calls):
    async def list(self, organization_id: str) -> tuple[records.Template, ...]:
        path = f"/organizations/{_segment(organization_id)}/templates"
        return await self._transport.get("templates.list", path, TEMPLATES)

    async def get(self, template_id: str) -> records.Template:
        return await self._transport.get("templates.get", f"/templates/{_segment(template_id)}", records.Template)

    async def by_name(self, organization_id: str, name: str) -> records.Template:
        path = f"/organizations/{_segment(organization_id)}/templates/{_segment(name)}"
        return await self._transport.get("templates.get", path, records.Template)

    async def acl(self, template_id: str) -> records.TemplateACL:
        path = f"/templates/{_segment(template_id)}/acl"
        return await self._transport.get("templateacls.get", path, records.TemplateACL)

    async def update_acl(self, template_id: str, request: UpdateTemplateACLRequest) -> None:
        """Merged into what is there; an id without a role, "", loses its entry. Ids in lower case, with dashes: Coder
        takes others too, and they never have an effect."""
        path = f"/templates/{_segment(template_id)}/acl"
        await self._transport.send("templateacls.update", "PATCH", path, request, records.Nothing)


def _quiet_hours(user_id: str) -> str:
    return f"/users/{_segment(user_id)}/quiet-hours"


def _segment(text: str) -> str:
    """One path segment; a name is never able to address another path."""
    # `.` and `..` mean other paths to the servers in between, and quote() leaves them as they are.
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")
