"""A pod that runs here: what its container is given, and how it is. Called by `agent`."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.kubelet.objects import Body, Objects
from tools.processes import Process, free_ports

ADDRESS: Final = "127.0.0.1"
_LISTEN: Final = re.compile(r"(^|=)(?:0\.0\.0\.0|\[::\]|127\.0\.0\.1)?:(\d+)$")
"""All addresses of a pod, or its loopback, which no other pod has."""
_VARIABLE: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass
class Pod:
    body: Body
    folder: Path
    ports: dict[int, int] = field(default_factory=dict)
    """Of the container, and where they are on 127.0.0.1."""
    process: Process | None = None
    ending: bool = False
    restarts: int = 0
    reported: Body = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def component(self) -> str:
        return str(self.body["metadata"].get("labels", {}).get("app.kubernetes.io/component", "none"))

    @property
    def spec(self) -> Body:
        found: Body = self.body["spec"]
        return found

    @property
    def container(self) -> Body:
        """The only one."""
        found: Body = self.spec["containers"][0]
        return found

    @property
    def memory(self) -> int | None:
        """How many bytes it may have."""
        limit = self.container.get("resources", {}).get("limits", {}).get("memory")
        return None if limit is None else int(limit[:-2]) * _UNITS[limit[-2:]]

    def port(self, name: str) -> int:
        """Where a named port of it is on 127.0.0.1."""
        return self.ports[next(each["containerPort"] for each in self.container["ports"] if each["name"] == name)]

    def placed(self, text: str) -> str:
        """With a port of 127.0.0.1 where it would listen on addresses of its own."""

        def listen(found: re.Match[str]) -> str:
            return f"{found[1]}{ADDRESS}:{self.ports.setdefault(int(found[2]), free_ports(1)[0])}"

        return _LISTEN.sub(listen, text)

    def variables(self, objects: Objects) -> dict[str, str]:
        """Its environment. Raises `Unready`."""
        values: dict[str, str] = {}
        for variable in self.container.get("env", ()):
            text = self._value(objects, variable)
            text = _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)
            values[variable["name"]] = self.placed(text)
        return values

    def _value(self, objects: Objects, variable: Mapping[str, Body]) -> str:
        source = variable.get("valueFrom", {})
        if ref := source.get("secretKeyRef"):
            return objects.value("secrets", ref["name"], ref["key"])
        if ref := source.get("configMapKeyRef"):
            return objects.value("configmaps", ref["name"], ref["key"])
        if ref := source.get("fieldRef"):
            own = {
                "metadata.namespace": objects.namespace,
                "metadata.uid": str(self.body["metadata"]["uid"]),
                "status.podIP": ADDRESS,
            }
            return own[ref["fieldPath"]]
        return str(variable.get("value", ""))

    def is_ready(self) -> bool:
        """What the readiness probe says; a container without one is ready."""
        probe = self.container.get("readinessProbe", {}).get("httpGet")
        if probe is None:
            return True
        try:
            with urllib.request.urlopen(f"http://{ADDRESS}:{self.port(probe['port'])}{probe['path']}", timeout=5):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False
