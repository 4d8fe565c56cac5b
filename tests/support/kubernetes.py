"""What tests do with the real control plane, each in a namespace of its own."""

from __future__ import annotations

import base64
import itertools
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx2
import yaml

from coder_enterprise.kinds.machinery.resource import GROUP, VERSION
from tests.support.waiting import TIMEOUT, wait_until
from tools.kubernetes.control_plane import ControlPlane

_numbers: Final = itertools.count(1)
_PATHS: Final = {
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "Event": "/apis/events.k8s.io/v1/namespaces/{namespace}/events",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
    "CoderDeployment": f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/coderdeployments",
    "CoderGroup": f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/codergroups",
    "CoderUser": f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/coderusers",
    "CoderLicense": f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/coderlicenses",
    "CoderAppearance": f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/coderappearances",
    "CoderWorkspaceProxy": f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/coderworkspaceproxies",
    "CoderTemplateACL": f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/codertemplateacls",
    "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{namespace}/kustomizations",
    "ExternalArtifact": "/apis/source.toolkit.fluxcd.io/v1/namespaces/{namespace}/externalartifacts",
    "Application": "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications",
}
_MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}

Body = dict[str, Any]


class Refused(AssertionError):
    """The API server did not accept an object; the message is its own."""


def administrator(plane: ControlPlane) -> httpx2.Client:
    """For requests to the API server; close it."""
    user = yaml.safe_load(plane.kubeconfig.read_text())["users"][0]["user"]
    return httpx2.Client(
        base_url=plane.url,
        headers={"Authorization": f"Bearer {user['token']}"},
        verify=ssl.create_default_context(cafile=str(plane.ca_file)),
        timeout=30,
    )


class Namespace:
    """One namespace: apply, read, wait."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.name = f"test-{next(_numbers)}"
        self._http = administrator(plane)

    def create(self) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        _checked(self._http.post("/api/v1/namespaces", json=body))

    def delete_itself(self) -> None:
        _checked(self._http.delete(f"/api/v1/namespaces/{self.name}"))

    def exists(self) -> bool:
        return self._http.get(f"/api/v1/namespaces/{self.name}").status_code == 200

    def close(self) -> None:
        self._http.close()

    def apply(self, *objects: Body) -> None:
        """Create each, or replace its labels, annotations and spec. Raises `Refused`."""
        for body in objects:
            kind, name = body["kind"], body["metadata"]["name"]
            if self.find(kind, name) is None:
                _checked(self._http.post(self._path(kind), json=body))
            else:
                _checked(self._http.patch(self._path(kind, name), content=json.dumps(body), headers=_MERGE_PATCH))

    def patch(self, kind: str, name: str, change: Mapping[str, Any], subresource: str = "") -> None:
        path = self._path(kind, name) + (f"/{subresource}" if subresource else "")
        _checked(self._http.patch(path, content=json.dumps(change), headers=_MERGE_PATCH))

    def annotate(self, kind: str, name: str, **annotations: str) -> None:
        named = {f"{GROUP}/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.patch(kind, name, {"metadata": {"annotations": named}})

    def find(self, kind: str, name: str) -> Body | None:
        """The object, or None."""
        answer = self._http.get(self._path(kind, name))
        return None if answer.status_code == 404 else _checked(answer)

    def get(self, kind: str, name: str) -> Body:
        found = self.find(kind, name)
        assert found is not None, f"there is no {kind} {name}"
        return found

    def secret(self, name: str) -> dict[str, str]:
        """The values of a Secret; {} when there is none."""
        data = (self.find("Secret", name) or {}).get("data", {})
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def all(self, kind: str) -> list[Body]:
        items: list[Body] = _checked(self._http.get(self._path(kind)))["items"]
        return items

    def delete(self, kind: str, name: str) -> None:
        _checked(self._http.delete(self._path(kind, name)))

    def status(self, kind: str, name: str) -> Body:
        status: Body = self.get(kind, name).get("status", {})
        return status

    def condition(self, kind: str, name: str, type_: str = "Ready") -> Body:
        """{} when the object has no such condition."""
        return _condition(self.get(kind, name), type_)

    def wait_for(self, kind: str, name: str, reason: str, *, type_: str = "Ready", timeout: float = TIMEOUT) -> Body:
        """Until that condition has that reason and speaks of the present spec; the condition."""

        def probe() -> Body | None:
            body = self.get(kind, name)
            found = _condition(body, type_)
            current = found.get("observedGeneration") == body["metadata"]["generation"]
            return found if found.get("reason") == reason and current else None

        try:
            return wait_until(lambda: probe(), f"{kind} {name} {type_} {reason}", timeout) or {}
        except AssertionError as error:
            raise AssertionError(f"{error}; status: {json.dumps(self.status(kind, name))}") from None

    def wait_until_gone(self, kind: str, name: str, timeout: float = TIMEOUT) -> None:
        wait_until(lambda: self.find(kind, name) is None, f"{kind} {name} is gone", timeout)

    def events(self, name: str) -> list[Body]:
        """Events about objects of that name."""
        return [event for event in self.all("Event") if event["regarding"]["name"] == name]

    def wait_for_event(self, name: str, reason: str) -> Body:
        def probe() -> Body | None:
            return next((event for event in self.events(name) if event["reason"] == reason), None)

        return wait_until(probe, f"event {reason} for {name}") or {}

    def writes(self) -> list[Body]:
        """What the operator wrote to objects of this namespace, from the API server's audit log."""
        return list(_operator_writes(self.plane, self.name))

    def _path(self, kind: str, name: str = "") -> str:
        path = _PATHS[kind].format(namespace=self.name)
        return f"{path}/{name}" if name else path


def _condition(body: Body, type_: str) -> Body:
    conditions = body.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == type_), {})


def _operator_writes(plane: ControlPlane, namespace: str) -> Iterator[Body]:
    for line in plane.audit_log.read_text().splitlines():
        entry = json.loads(line)
        reference = entry.get("objectRef", {})
        if reference.get("namespace") != namespace or reference.get("resource") == "leases":
            continue
        if entry.get("userAgent", "").startswith("coder-enterprise-operator"):
            yield entry


def _checked(answer: httpx2.Response) -> Body:
    if answer.status_code >= 400:
        raise Refused(f"{answer.status_code}: {answer.json().get('message', answer.text)}")
    body: Body = answer.json()
    return body
