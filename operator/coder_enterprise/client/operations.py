"""Every call that the client can make, by its name in metrics and hooks: its route, and the right that it takes.

Read by the pages of the kinds and by the doctor, which asks Coder about these rights; a test compares each route with
what the client sends, and each right with what a real server lets people do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from typing_extensions import override


class CoderRight(NamedTuple):
    """In Coder's own words, as `POST /authcheck` takes them."""

    resource: str
    action: str

    @override
    def __str__(self) -> str:
        return f"{self.action} {self.resource}"


@dataclass(frozen=True)
class Operation:
    method: str
    paths: tuple[str, ...]
    """Below /api/v2, or for SCIM below /scim/v2; what stands in braces is an id or a name."""
    right: CoderRight | None = None
    """None for what everybody may who has a token, and for SCIM, which has a key of its own."""


def _get(*paths: str, right: CoderRight | None = None) -> Operation:
    return Operation("GET", paths, right)


def _all_of(resource: str) -> tuple[CoderRight, CoderRight, CoderRight, CoderRight]:
    return (
        CoderRight(resource, "read"),
        CoderRight(resource, "create"),
        CoderRight(resource, "update"),
        CoderRight(resource, "delete"),
    )


_READ_GROUP, _CREATE_GROUP, _UPDATE_GROUP, _DELETE_GROUP = _all_of("group")
_READ_PROXY, _CREATE_PROXY, _UPDATE_PROXY, _DELETE_PROXY = _all_of("workspace_proxy")
_READ_USER, _CREATE_USER, _UPDATE_USER, _DELETE_USER = _all_of("user")
_READ_LICENSE, _CREATE_LICENSE, _, _DELETE_LICENSE = _all_of("license")
_READ_TEMPLATE, _WRITE_ACL, _READ_ACL, _ = _all_of("template")
# Who may change a template may see its ACL; to change that, Coder asks for the right to create.

_ORGANIZATION: Final = "/organizations/{organization}"
_USER: Final = "/users/{user}"

OPERATIONS: Final[dict[str, Operation]] = {
    "appearance.get": _get("/appearance"),
    "appearance.put": Operation("PUT", ("/appearance",), CoderRight("deployment_config", "update")),
    "authorization.check": Operation("POST", ("/authcheck",)),
    "buildinfo.get": _get("/buildinfo"),
    "entitlements.get": _get("/entitlements"),
    "groups.list": _get(f"{_ORGANIZATION}/groups", right=_READ_GROUP),
    "groups.get": _get("/groups/{group}", f"{_ORGANIZATION}/groups/{{name}}", right=_READ_GROUP),
    "groups.create": Operation("POST", (f"{_ORGANIZATION}/groups",), _CREATE_GROUP),
    "groups.update": Operation("PATCH", ("/groups/{group}",), _UPDATE_GROUP),
    "groups.delete": Operation("DELETE", ("/groups/{group}",), _DELETE_GROUP),
    "keys.get": _get("/users/me/keys/{key}"),
    "licenses.list": _get("/licenses", right=_READ_LICENSE),
    "licenses.add": Operation("POST", ("/licenses",), _CREATE_LICENSE),
    "licenses.delete": Operation("DELETE", ("/licenses/{license}",), _DELETE_LICENSE),
    "organizations.all": _get("/organizations"),
    "organizations.get": _get(_ORGANIZATION),
    "organizations.list": _get("/users/me/organizations"),
    "provisionerdaemons.list": _get(
        f"{_ORGANIZATION}/provisionerdaemons", right=CoderRight("provisioner_daemon", "read")
    ),
    "quiet-hours.get": _get(f"{_USER}/quiet-hours", right=_READ_USER),
    "quiet-hours.set": Operation("PUT", (f"{_USER}/quiet-hours",), _UPDATE_USER),
    "replicas.list": _get("/replicas", right=CoderRight("replicas", "read")),
    "scim.create": Operation("POST", ("/Users",)),
    "scim.update": Operation("PATCH", ("/Users/{user}",)),
    "templateacls.get": _get("/templates/{template}/acl", right=_READ_ACL),
    "templateacls.update": Operation("PATCH", ("/templates/{template}/acl",), _WRITE_ACL),
    "templates.get": _get("/templates/{template}", f"{_ORGANIZATION}/templates/{{name}}", right=_READ_TEMPLATE),
    "templates.list": _get(f"{_ORGANIZATION}/templates", right=_READ_TEMPLATE),
    "users.activate": Operation("PUT", (f"{_USER}/status/activate",), _UPDATE_USER),
    "users.create": Operation("POST", ("/users",), _CREATE_USER),
    "users.delete": Operation("DELETE", (_USER,), _DELETE_USER),
    "users.get": _get(_USER, right=_READ_USER),
    "users.list": _get("/users", right=_READ_USER),
    "users.me": _get("/users/me"),
    "users.profile": Operation("PUT", (f"{_USER}/profile",), _UPDATE_USER),
    "users.roles": Operation("PUT", (f"{_USER}/roles",), CoderRight("assign_role", "assign")),
    "users.suspend": Operation("PUT", (f"{_USER}/status/suspend",), _UPDATE_USER),
    "workspace-quota.get": _get("/workspace-quota/{user}", right=_READ_USER),
    "workspaceproxies.list": _get("/workspaceproxies", right=_READ_PROXY),
    "workspaceproxies.get": _get("/workspaceproxies/{proxy}", right=_READ_PROXY),
    "workspaceproxies.create": Operation("POST", ("/workspaceproxies",), _CREATE_PROXY),
    "workspaceproxies.update": Operation("PATCH", ("/workspaceproxies/{proxy}",), _UPDATE_PROXY),
    "workspaceproxies.delete": Operation("DELETE", ("/workspaceproxies/{proxy}",), _DELETE_PROXY),
}
