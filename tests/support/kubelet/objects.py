"""The objects of the namespace that a kubelet serves, over HTTP: used by `agent` and `volumes`."""

from __future__ import annotations

import base64
from typing import Any, Final

import httpx2

from tests.support.kubernetes import administrator
from tools.kubernetes.control_plane import ControlPlane

Body = dict[str, Any]

MERGE: Final = {"Content-Type": "application/merge-patch+json"}


class Unready(Exception):
    """What a container needs is not there; the message is what the pod's status says."""


class Objects:
    """Those of core v1, as an administrator sees them."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.namespace = namespace
        self.http: httpx2.Client = administrator(plane)

    def close(self) -> None:
        self.http.close()

    def path(self, plural: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def get(self, plural: str, name: str) -> Body:
        """The object, or what the API server says instead."""
        found: Body = self.http.get(self.path(plural, name)).json()
        return found

    def items(self, plural: str) -> list[Body]:
        answer = self.http.get(self.path(plural))
        found: list[Body] = answer.json()["items"] if answer.is_success else []
        return found

    def patch(self, plural: str, name: str, change: Body) -> bool:
        return self.http.patch(self.path(plural, name), json=change, headers=MERGE).is_success

    def data(self, plural: str, name: str) -> dict[str, str]:
        """What a Secret or a ConfigMap holds. Raises `Unready` when there is none."""
        answer = self.http.get(self.path(plural, name))
        if answer.status_code == 404:
            raise Unready(f'{plural.removesuffix("s")} "{name}" not found')
        data: dict[str, str] = answer.json().get("data", {})
        if plural == "configmaps":
            return data
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def value(self, plural: str, name: str, key: str) -> str:
        """One entry of it. Raises `Unready`."""
        data = self.data(plural, name)
        if key not in data:
            raise Unready(f"couldn't find key {key} in {name}")
        return data[key]
