"""A CoderWorkspaceProxy at rest, a Coder with one proxy, and visits that may be killed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from typing_extensions import override

from coder_enterprise.client import errors, proxy_records
from coder_enterprise.client.http import Call, CallHooks
from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.proxy import ProxyKind, ProxySpec, workload_body
from coder_enterprise.kinds.proxy.find import ObservedProxy
from coder_enterprise.kinds.proxy.token import fingerprint
from tests.support.beside import Beside
from tests.support.manifests import workload
from tests.support.scripted import Asked, Scripted

KIND: Final = ProxyKind()
PROXY_ID: Final = "91000000-0000-4000-8000-000000000000"
URL: Final = "https://eu.example.com"
TOKEN: Final = f"{PROXY_ID}:secret"
NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Body = dict[str, Any]


def spec(**fields: Any) -> ProxySpec:
    return ProxySpec.model_validate(fields)


def proxy(status: str = "ok", url: str = URL, **fields: Any) -> proxy_records.WorkspaceProxy:
    known = {"id": PROXY_ID, "name": "eu", "display_name": "EU", "icon_url": "/eu.png", "path_app_url": url}
    report = {"errors": fields.pop("errors", None), "warnings": fields.pop("warnings", None)}
    return proxy_records.WorkspaceProxy.model_validate(
        known | {"status": {"status": status, "report": report}} | fields
    )


def resource(status: Mapping[str, Any] | None = None, **annotations: str) -> Resource:
    metadata = {
        "namespace": "team",
        "name": "eu",
        "uid": "u1",
        "resourceVersion": "1",
        "annotations": {f"enterprise.coder.com/{name.replace('_', '-')}": text for name, text in annotations.items()},
    }
    return Resource.from_body("CoderWorkspaceProxy", {"metadata": metadata, "status": status or {}})


RECORDED: Final = {
    "id": PROXY_ID,
    "tokenFingerprint": fingerprint(TOKEN),
    "tokenRotatedAt": "2026-03-01T00:00:00Z",
}
SECRET: Final = {"CODER_PROXY_SESSION_TOKEN": TOKEN, "CODER_PRIMARY_ACCESS_URL": "https://coder.example.com"}


def observed(
    found: proxy_records.WorkspaceProxy | None = None, item: Resource | None = None, **fields: Any
) -> ObservedProxy:
    """An applied proxy at rest, but for these fields."""
    found = found or proxy()
    at_rest = ObservedProxy(
        external_id=found.id,
        fresh=True,
        resource=item or resource(RECORDED),
        name="eu",
        proxy=found,
        namesake=found,
        primary_url="https://coder.example.com",
        secret=SECRET,
        deployment=None,
        now=NOW,
    )
    return replace(at_rest, **fields)


def plan(desired: ProxySpec, seen: ObservedProxy) -> list[str]:
    return [str(change) for change in KIND.plan(desired, seen, seen.resource.status)]


def no_proxy(**fields: Any) -> ObservedProxy:
    return observed(item=resource(), external_id=None, proxy=None, namesake=None, secret=None, **fields)


class Killed(BaseException):
    """The operator ends here."""


class Points(CallHooks):
    """Ends the operator before or after one of its calls."""

    def __init__(self) -> None:
        self.passed = 0
        self.kill_at: int | None = None

    def reach(self) -> None:
        self.passed += 1
        if self.kill_at is not None and self.passed > self.kill_at:
            self.kill_at = None
            raise Killed

    @override
    async def before(self, call: Call) -> None:
        if call.writes:
            self.reach()

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        if call.writes:
            self.reach()


class Mortal(Beside):
    def __init__(self, points: Points) -> None:
        super().__init__()
        self.points = points

    @override
    async def write_secret(self, resource: Resource, name: str, values: Mapping[str, str]) -> None:
        self.points.reach()
        await super().write_secret(resource, name, values)
        self.points.reach()


class Coder:
    """What a Coder does with its proxies. `shows` is where it puts a new token: body, header, or nowhere."""

    def __init__(self, server: Scripted, shows: str = "body") -> None:
        self.proxies: dict[str, Body] = {}
        self.tokens: dict[str, str] = {}
        self.requests: list[Body] = []
        self.shows = shows
        self._server = server
        self._count = 0
        server.reply("/workspaceproxies", lambda _: web.json_response({"regions": list(self.proxies.values())}))
        server.reply("/workspaceproxies", self._create, method="POST")
        server.answer("/users/me", {"id": "me", "username": "me", "roles": [{"name": "owner"}]})

    def add(self, name: str) -> str:
        self._count += 1
        proxy_id = f"{self._count:08}-0000-4000-8000-000000000000"
        self.proxies[proxy_id] = {"id": proxy_id, "name": name}
        path = f"/workspaceproxies/{proxy_id}"
        self._server.reply(path, lambda _: self._get(proxy_id))
        self._server.reply(path, lambda asked: self._patch(proxy_id, asked), method="PATCH")
        self._server.reply(path, lambda _: self._delete(proxy_id), method="DELETE")
        return proxy_id

    def _create(self, asked: Asked) -> web.Response:
        sent = json.loads(asked.body)
        proxy_id = self.add(sent["name"])
        self.proxies[proxy_id] |= {"display_name": sent["display_name"], "icon_url": sent["icon"]}
        return self._answer(proxy_id, 201, new_token=True)

    def _get(self, proxy_id: str) -> web.Response:
        return web.json_response(self.proxies.get(proxy_id, {"id": proxy_id, "name": "x", "deleted": True}))

    def _patch(self, proxy_id: str, asked: Asked) -> web.Response:
        sent = json.loads(asked.body)
        self.requests.append(sent)
        self.proxies[proxy_id] |= {"name": sent["name"], "display_name": sent["display_name"], "icon_url": sent["icon"]}
        return self._answer(proxy_id, 200, new_token=sent["regenerate_token"])

    def _delete(self, proxy_id: str) -> web.Response:
        self.proxies.pop(proxy_id, None)
        return web.json_response({"message": "gone"})

    def _answer(self, proxy_id: str, status: int, *, new_token: bool) -> web.Response:
        token = ""
        if new_token:
            self._count += 1
            token = self.tokens[proxy_id] = f"{proxy_id}:{self._count:064x}"
        body, header = self.proxies[proxy_id], {"Coder-Workspace-Proxy-Token": token}
        if self.shows == "body":
            return web.json_response({"proxy": body, "proxy_token": token}, status=status)
        return web.json_response(body, status=status, headers=header if self.shows == "header" and token else {})


def verdict(seen: ObservedProxy, **declared: Any) -> tuple[bool, str]:
    found = KIND.verdict(spec(**declared), seen)
    return found.ready, str(found.reason)


def conditions(seen: ObservedProxy, **declared: Any) -> dict[str, DomainCondition]:
    return {condition.type: condition for condition in KIND.verdict(spec(**declared), seen).conditions}


def report(seen: ObservedProxy, **declared: Any) -> Body:
    return KIND.report(spec(**declared), seen, (), seen.resource.status)


def deployment(*, available: bool, owner: str = "u1", **spec_fields: Any) -> Body:
    desired = spec(workload=workload(replicas=2, **spec_fields)).workload
    assert desired is not None
    place = workload_body.Placement(
        name="eu-wsproxy",
        instance="eu",
        secret="eu-token",
        primary_url="https://coder.example.com",
        token_fingerprint=fingerprint(TOKEN),
    )
    body = workload_body.body(desired, place)
    body["metadata"] |= {"generation": 1, "ownerReferences": [{"uid": owner}]}
    condition = {"type": "Available", "status": str(available), "message": "no minimum"}
    counts = {"replicas": 2, "readyReplicas": 2 if available else 0}
    return body | {"status": {"observedGeneration": 1, "conditions": [condition], **counts}}
