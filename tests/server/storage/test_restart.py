"""What a restart of the server keeps: everything that can be read."""

from __future__ import annotations

from typing import Any, Final

import httpx2

from coder_enterprise.server.routes.app import ROUTERS, routes_of
from coder_enterprise.server.routes.openapi import document
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Body
from tests.support.provisioners import Daemon, build, build_template, create_workspace, upload
from tools.server_process import CoderServer

OF_THE_PROCESS: Final = frozenset(
    {"/latency-check", "/derp/latency-check", "/api/v2/replicas", "/api/v2/deployment/stats"}
)
"""What tells of one run of the server."""
NOT_THERE: Final = {
    "/api/v2/scim/v2/Users/{id}",
    "/api/v2/users/{user}/workspace/{name}",
    "/api/v2/users/{user}/workspace/{name}/builds/{number}",
    "/api/v2/templates/{template}/versions/{name}",
    "/api/v2/organizations/{organization}/templates/{template}/versions/{name}",
    "/api/v2/organizations/{organization}/templates/{template}/versions/{name}/previous",
}
"""`id` is that of the licence, and `name` that of the template."""
MOMENTS: Final = frozenset({"refreshed_at", "checked_at", "last_used", "last_seen_at"})
"""Fields that move by themselves."""


async def _write(server: CoderServer, api: httpx2.AsyncClient) -> dict[str, str]:
    """One of every resource; what the parameters of paths stand for."""
    user = await _made(api, "POST", "/users", username="ann", email="ann@example.com", login_type="none")
    group = await _made(api, "POST", "/organizations/default/groups", name="platform", quota_allowance=3)
    await _made(api, "PATCH", f"/groups/{group['id']}", add_users=[user["id"]], display_name="Platform")
    template, workspace, dry_run = await _build(server, api)
    roles = {"user_perms": {user["id"]: "admin"}, "group_perms": {group["id"]: "use"}}
    await _made(api, "PATCH", f"/templates/{template['id']}/acl", **roles)
    await _made(api, "PUT", "/users/ann/roles", roles=["auditor"])
    await _made(api, "PUT", "/users/ann/quiet-hours", schedule="CRON_TZ=Europe/Berlin 30 2 * * *")
    banner = {"enabled": True, "message": "Maintenance on Sunday", "background_color": "#004852"}
    await _made(api, "PUT", "/appearance", application_name="Acme", service_banner=banner)
    provisioner_key = (await _made(api, "POST", "/organizations/default/provisionerkeys", name="eu"))["key"]
    token = (await _made(api, "POST", "/users/ann/keys/tokens", token_name="ci"))["key"]
    proxy = await _made(api, "POST", "/workspaceproxies", name="eu", display_name="Europe", icon="/eu.png")
    await _made(api, "POST", "/scim/v2/Users", userName="ben", emails=[{"value": "ben@example.com", "primary": True}])
    (license_,) = (await api.get("/licenses")).json()
    return {
        "user": user["id"],
        "group": group["id"],
        "groupName": "platform",
        "organization": "default",
        "template": template["id"],
        "name": "docker",
        "key": token.partition("-")[0],
        "workspaceproxy": proxy["id"],
        "provisionerkey": provisioner_key,
        "id": str(license_["id"]),
        "file": await upload(api),
        "version": template["active_version_id"],
        "workspace": workspace["id"],
        "build": workspace["latest_build"]["id"],
        "job": dry_run["id"],
        "number": "1",
    }


async def _build(server: CoderServer, api: httpx2.AsyncClient) -> tuple[Body, Body, Body]:
    """A template, a workspace of it, which a daemon has built, and the job of a dry run."""
    address, headers = server.url.removeprefix("http://"), {"Coder-Session-Token": server.token}
    async with Daemon(address, headers, name="first") as daemon:
        template = await build_template(api, daemon, "docker")
        workspace = await create_workspace(api, template, "anns")
        await build(daemon, cost=2)
        dry_run = await _made(api, "POST", f"/templateversions/{template['active_version_id']}/dry-run")
        await daemon.complete(await daemon.acquire(), pb.Resource(name="dev", type="vm"))
    return template, workspace, dry_run


async def _made(api: httpx2.AsyncClient, method: str, path: str, **body: Any) -> Any:
    answer = await api.request(method, path, json=body)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json()


def _read(site: str, token: str, values: dict[str, str]) -> dict[str, Any]:
    """What every path that can be read answers."""
    found = {}
    with httpx2.Client(base_url=site, headers={"Coder-Session-Token": token}) as client:
        for path, operations in document(routes_of(*ROUTERS))["paths"].items():
            if "get" not in operations or path in OF_THE_PROCESS or path.endswith("/serve"):
                continue
            answer = client.get(path.format(**values))
            assert str(answer.status_code) in operations["get"]["responses"], f"{path}: {answer.text}"
            is_json = answer.headers["content-type"].startswith("application/json")
            found[path] = answer.status_code, _lasting(answer.json()) if is_json else answer.text
    return found


def _lasting(value: Any) -> Any:
    if isinstance(value, list):
        return [_lasting(item) for item in value]
    if isinstance(value, dict):
        return {name: _lasting(item) for name, item in value.items() if name not in MOMENTS}
    return value


async def test_a_restart_keeps_everything(storage_url: str) -> None:
    with CoderServer(storage_url, CODER_SCIM_AUTH_HEADER="Bearer key") as server:
        async with httpx2.AsyncClient(
            base_url=f"{server.url}/api/v2", headers={"Coder-Session-Token": server.token}
        ) as api:
            values = await _write(server, api)
        before = _read(server.url, server.token, values)
        assert {path for path, (status, _) in before.items() if status != 200} == NOT_THERE
        assert server.stop() == 0
        server.start()
        assert _read(server.url, server.token, values) == before
