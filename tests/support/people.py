"""People of a real cluster who look at the page: service accounts, each with a token and with rights in one namespace.

The page itself asks Kubernetes about them as a service account that may ask for the two reviews, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from typing import Any, Final

import httpx2

from coder_enterprise.cluster.kubeconfig import configuration
from coder_enterprise.cluster.rules import page_rules
from coder_enterprise.kinds.machinery.resource import GROUP
from tests.support.kubernetes import Body, Namespace
from tests.support.manifests import group
from tools.kubernetes.control_plane import ControlPlane

RBAC: Final = "rbac.authorization.k8s.io"
HTML: Final = {"Accept": "text/html"}
SAME: Final = {"Sec-Fetch-Site": "same-origin"}


class People:
    """`alice` may read and change groups in the namespace `own`, and nothing else anywhere; `nobody` nothing."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._tokens: dict[str, str] = {}
        self._roles: list[str] = []
        self.own, self.foreign = Namespace(plane), Namespace(plane)
        for space in (self.own, self.foreign):
            space.create()
            space.apply(group("platform"))
        for name in ("alice", "nobody", "page"):
            self.add(name)
        self.allow("alice", "get", "list", "patch")
        self._bound = f"{self.own.name}-page"
        self._apply("ClusterRole", self._bound, rules=page_rules())
        self._bind("ClusterRole", self._bound, "page")

    def add(self, name: str) -> None:
        self._plane.kubectl("create", "serviceaccount", name, "-n", self.own.name)

    def remove(self, name: str) -> None:
        self._plane.kubectl("delete", "serviceaccount", name, "-n", self.own.name)

    def token(self, name: str) -> str:
        """One and the same for each name."""
        if name not in self._tokens:
            self._tokens[name] = self.new_token(name)
        return self._tokens[name]

    def new_token(self, name: str) -> str:
        return self._plane.kubectl("create", "token", name, "-n", self.own.name).stdout.strip()

    def user(self, name: str) -> str:
        return f"system:serviceaccount:{self.own.name}:{name}"

    def allow(self, name: str, *verbs: str, of: Sequence[str] = ("codergroups",)) -> None:
        """These, in their own namespace, and no others any more."""
        rule = {"apiGroups": [GROUP], "resources": list(of), "verbs": list(verbs)}
        self._apply("Role", name, rules=[rule])
        self._bind("Role", name, name)

    def grant(self, name: str, role: Body) -> None:
        """What that ClusterRole allows, in their own namespace; it is made, under a name of its own."""
        named = f"{self._bound}-{name}"
        self._apply("ClusterRole", named, rules=role["rules"])
        self._roles.append(named)
        self._bind("ClusterRole", named, name, where="Role")

    def bind_group(self, role: str, group: str) -> None:
        """Whoever is in that group may what that role allows."""
        self._bind("Role", role, role, {"kind": "Group", "name": group, "apiGroup": RBAC})

    async def cluster(self) -> Any:
        """As the page talks to it."""
        return await configuration(self._plane.service_account_kubeconfig(self.own.name, "page"))

    def close(self) -> None:
        self._plane.kubectl("delete", "clusterrolebinding", self._bound)
        self._plane.kubectl("delete", "clusterrole", self._bound, *self._roles)
        for space in (self.own, self.foreign):
            space.close()

    def _bind(self, kind: str, role: str, name: str, *more: Body, where: str = "") -> None:
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.own.name}
        reference = {"apiGroup": RBAC, "kind": kind, "name": role}
        self._apply(f"{where or kind}Binding", role, roleRef=reference, subjects=[subject, *more])

    def _apply(self, kind: str, name: str, **body: Any) -> None:
        metadata = {"name": name} | ({} if kind.startswith("Cluster") else {"namespace": self.own.name})
        manifest = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, **body}
        self._plane.kubectl("apply", "-f", "-", input=json.dumps(manifest))


@dataclass
class Browser:
    """Keeps no cookie by itself."""

    http: httpx2.AsyncClient
    url: str

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(path, headers=HTML | named)

    async def sign_in(self, token: str, next_: str = "/", **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post("/login", data={"token": token, "next": next_}, headers=HTML | SAME | named)

    async def post(self, path: str, /, session: str, **form: str) -> httpx2.Response:
        """As a page of ours does."""
        return await self.http.post(path, headers=HTML | SAME | {"Cookie": session}, data=form)

    async def csrf(self, session: str) -> str:
        """As a page tells it."""
        page = (await self.get("/", Cookie=session)).text
        return page.split('name="csrf" value="')[1].split('"')[0]

    async def session(self, token: str) -> str:
        """The cookie of a new one."""
        return cookie_of(await self.sign_in(token)).OutputString([])


def cookie_of(answer: httpx2.Response) -> Morsel[str]:
    (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return morsel
