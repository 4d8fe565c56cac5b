"""A small company on a real Kubernetes, to be looked at: by the tests of the page in a browser, and for screenshots.

`Scenery` brings a server, and an operator with its page, to a control plane that somebody else has started.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tools.coder_api import CoderAPI
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.processes import ProcessFailed, free_ports
from tools.server_process import CoderServer, license_for_tests
from tools.wsproxy_process import WorkspaceProxyProcess

OBJECTS: Final = Path(__file__).with_name("objects.yaml")
TIMEOUT: Final = 180.0
POLL: Final = 0.3
TEMPLATES: Final = ("gpu-workstation", "docker")
GROUPS: Final[Mapping[str, Mapping[str, Any]]] = {
    "designers": {"display_name": "Design", "quota_allowance": 10},
    "research": {"display_name": "R&D"},
}
"""Which are in Coder before anybody declares them."""
FIRST: Final = ("CoderDeployment", "CoderLicense")
REASONS: Final = {
    "CoderDeployment coder": "Connected",
    "CoderDeployment staging": "Unreachable",
    "CoderLicense coder": "Applied",
    "CoderUser ann": "Applied",
    "CoderUser bob": "Applied",
    "CoderUser cleo": "Applied",
    "CoderUser dora": "NotAllowed",
    "CoderGroup platform": "Applied",
    "CoderGroup data-science": "PendingMembers",
    "CoderGroup designers": "AlreadyExists",
    "CoderGroup research": "Planned",
    "CoderGroup contractors": "Suspended",
    "CoderGroup testers": "WaitingForDeployment",
    "CoderGroup team-a": "Applied",
    "CoderTemplateACL gpu-workstation": "Applied",
    "CoderTemplateACL mainframe": "WaitingForTemplate",
    "CoderTemplateACL docker": "Applied",
    "CoderAppearance coder": "Applied",
    "CoderWorkspaceProxy sydney": "Applied",
    "CoderWorkspaceProxy frankfurt": "NotRegistered",
}
"""To which each object comes."""

Body = dict[str, Any]


class Scenery:
    """A context manager: entered, it is as `REASONS` says."""

    def __init__(self, plane: ControlPlane, folder: Path, home: str, team: str, *options: str) -> None:
        """In these two namespaces, which are made. `options` are further ones of the operator; logs go to `folder`."""
        self.plane = plane
        self.home = home
        self.team = team
        self.server = CoderServer(licensed=False, CODER_PROXY_HEALTH_INTERVAL="1s")
        self.operator = OperatorProcess(plane.kubeconfig, folder / "operator.log", *options)
        self._folder = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Scenery:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.server)
            self.coder = CoderAPI(self.server.url, self.server.token)
            stack.callback(self.coder.close)
            self._make_namespaces()
            stack.enter_context(self.operator)
            self._declare()
            stack.enter_context(self._proxy())
            self._wait("all objects are as they are meant to be", lambda: self.reasons() == REASONS, self.reasons)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def page(self) -> str:
        """The operator's page, as a URL."""
        return self.operator.page

    def apply(self, *bodies: Body) -> None:
        self.plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(bodies))

    def edit(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        """As `kubectl edit` would, an object in the first namespace."""
        patch = yaml.safe_dump({"spec": dict(spec)})
        self.plane.kubectl("patch", kind, name, "--namespace", self.home, "--type=merge", "--patch", patch)

    def reasons(self) -> dict[str, str]:
        """Of what the operator has visited as it is declared now."""
        bodies = [body for space in (self.home, self.team) for body in self.plane.get("coder", "-n", space)["items"]]
        return {f"{body['kind']} {body['metadata']['name']}": _reason(body) for body in bodies}

    def _make_namespaces(self) -> None:
        for name in (self.home, self.team):
            self.plane.kubectl("create", "namespace", name)
        secrets = {"coder-token": {"token": self.server.token}, "coder-license": {"license": license_for_tests()}}
        self.apply(*(_secret(name, self.home, values) for name, values in secrets.items()))

    def _declare(self) -> None:
        bodies = self._objects()
        self.apply(*(body for body in bodies if body["kind"] in FIRST))
        self._wait("the licence is there", lambda: self.reasons().get("CoderLicense coder") == "Applied", self.reasons)
        for name in TEMPLATES:
            self.coder.create_template(name)
        for name, fields in GROUPS.items():
            self.coder.create_group(name, **fields)
        self.apply(*(body for body in bodies if body["kind"] not in FIRST))

    def _objects(self) -> list[Body]:
        text = OBJECTS.read_text()
        silent = f"http://127.0.0.1:{free_ports(1)[0]}"
        real = {"HOME": self.home, "TEAM": self.team, "CODER": self.server.url, "SILENT": silent}
        for word, value in real.items():
            text = text.replace(word, value)
        return list(yaml.safe_load_all(text))

    def _proxy(self) -> WorkspaceProxyProcess:
        path = "--output=jsonpath={.data.CODER_PROXY_SESSION_TOKEN}"
        find = ("get", "secret", "sydney-token", "--namespace", self.home, "--ignore-not-found", path)
        self._wait("the proxy's token is there", lambda: bool(self.plane.kubectl(*find).stdout), self.reasons)
        token = base64.b64decode(self.plane.kubectl(*find).stdout).decode()
        return WorkspaceProxyProcess(self.server.url, token, self._folder / "proxy.log")

    def _wait(self, what: str, come_true: Callable[[], bool], instead: Callable[[], object]) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not come_true():
            if time.monotonic() > deadline:
                raise ProcessFailed(f"not within {TIMEOUT:.0f} s: {what}; there is {instead()}")
            time.sleep(POLL)


def _secret(name: str, namespace: str, values: Mapping[str, str]) -> Body:
    metadata = {"name": name, "namespace": namespace, "labels": {"enterprise.coder.com/watch": "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(values)}


def _reason(body: Body) -> str:
    conditions = body.get("status", {}).get("conditions", [])
    ready: Body = next((each for each in conditions if each["type"] == "Ready"), {})
    current = ready.get("observedGeneration") == body["metadata"]["generation"]
    return str(ready["reason"]) if current else ""
