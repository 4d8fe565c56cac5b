"""Runs the pods of one namespace as processes of this code: what a kubelet does, without containers.

For tests that install the operator and the server as their users do. Real are arguments, environment, mounted files,
tokens of service accounts, probes, restarts and the order in which a pod ends. Not real: image, user and isolation,
and the network. An address 0.0.0.0:N becomes a free port of 127.0.0.1, and names of Services are resolved by an HTTP
proxy, which every pod gets by HTTP_PROXY.
"""

from __future__ import annotations

import base64
import re
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.support.kubernetes import administrator
from tests.support.service_proxy import ServiceProxy
from tools.kubernetes.control_plane import ControlPlane
from tools.processes import Process, ProcessFailed, free_ports

Body = dict[str, Any]

INTERVAL: Final = 0.1
NODE: Final = "local"
_LISTEN: Final = re.compile(r"0\.0\.0\.0:(\d+)")
_VARIABLE: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_MERGE: Final = {"Content-Type": "application/merge-patch+json"}


class Unready(Exception):
    """What a container needs is not there; the message is what the pod's status says."""


@dataclass
class _Pod:
    """One that runs here."""

    body: Body
    folder: Path
    ports: dict[int, int] = field(default_factory=dict)
    """Of the container, and where they are on 127.0.0.1."""
    process: Process | None = None
    ending: bool = False
    restarts: int = 0
    reported: Body = field(default_factory=dict)


class Kubelet:
    """A context manager; a thread of its own does the work."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self._plane = plane
        self._namespace = namespace
        self._folder = folder
        self._pods: dict[str, _Pod] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet")
        self._http = administrator(plane)
        self._proxy = ServiceProxy(self._resolve)
        self.failure: Exception | None = None

    def __enter__(self) -> Kubelet:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        self._http.post("/api/v1/nodes", json=node)
        self._proxy.start()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._thread.join()
        self._proxy.stop()
        for pod in self._pods.values():
            if pod.process:
                pod.process.kill()
        self._http.close()
        if self.failure is not None:
            raise self.failure

    def logs(self, component: str) -> str:
        """What the pods of that component have logged so far, those that are gone too."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob(f"*/{component}.log")))

    def address(self, component: str) -> str:
        """Where a running pod of that component listens."""
        with self._lock:
            pods = [pod for pod in self._pods.values() if _component(pod.body) == component and pod.process]
            return f"127.0.0.1:{next(iter(pods[0].ports.values()))}"

    def _run(self) -> None:
        while not self._end.wait(INTERVAL):
            try:
                self._tick()
            except httpx2.HTTPError:
                continue  # the API server is restarting
            except Exception as error:  # noqa: BLE001 - shown when the test ends
                self.failure = error
                return

    def _tick(self) -> None:
        bodies = {body["metadata"]["uid"]: body for body in self._items("pods")}
        with self._lock:
            for uid, body in bodies.items():
                self._sync(uid, body)
            for uid in self._pods.keys() - bodies.keys():
                self._has_ended(uid)
        for claim in self._items("persistentvolumeclaims"):
            if claim["metadata"].get("deletionTimestamp"):
                self._let_go(claim)
            elif claim["status"].get("phase") == "Pending" and not claim["spec"].get("volumeName"):
                self._provision(claim)

    def _sync(self, uid: str, body: Body) -> None:
        name = body["metadata"]["name"]
        if body["metadata"].get("deletionTimestamp"):
            if not self._has_ended(uid):
                return
            path = self._path("pods", name)
            self._http.request("DELETE", path, json={"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})
        elif not body["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"name": NODE}}
            self._http.post(self._path("pods", f"{name}/binding"), json=target)
        elif body["status"].get("phase") not in ("Succeeded", "Failed"):
            pod = self._pods.setdefault(uid, _Pod(body, self._folder / name))
            pod.body = body
            self._advance(pod)

    def _advance(self, pod: _Pod) -> None:
        if pod.process is None:
            try:
                self._start(pod)
            except Unready as error:
                self._report(pod, "Pending", waiting={"reason": "CreateContainerConfigError", "message": str(error)})
                return
        assert pod.process is not None
        code = pod.process.exit_code
        if code is None:
            self._report(pod, "Running", ready=_probe(pod))
        elif pod.body["spec"].get("restartPolicy") == "Never":
            self._report(pod, "Failed" if code else "Succeeded", exit_code=code)
        else:
            pod.restarts += 1
            pod.process = None

    def _start(self, pod: _Pod) -> None:
        container = pod.body["spec"]["containers"][0]
        pod.folder.mkdir(parents=True, exist_ok=True)
        pod.ports = {}
        mounts = self._mount(pod)
        environment = self._environment(pod, mounts)
        arguments = [self._placed(text, pod, mounts) for text in container["args"]]
        spec = pod.body["spec"]
        kubeconfig = Path("/nonexistent")
        if spec.get("automountServiceAccountToken"):
            try:
                kubeconfig = self._plane.service_account_kubeconfig(self._namespace, spec["serviceAccountName"])
            except ProcessFailed as error:
                raise Unready(str(error)) from None
        environment |= {
            "KUBECONFIG": str(kubeconfig),
            "HTTP_PROXY": self._proxy.url,
            "http_proxy": self._proxy.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        pod.process = _program(arguments, pod.folder / f"{_component(pod.body)}.log", environment)

    def _mount(self, pod: _Pod) -> dict[str, Path]:
        """Mount paths, and where they are here."""
        volumes = {volume["name"]: volume for volume in pod.body["spec"].get("volumes", ())}
        mounts = {}
        for mount in pod.body["spec"]["containers"][0].get("volumeMounts", ()):
            volume = volumes[mount["name"]]
            folder = pod.folder / "volumes" / mount["name"]
            if claim := volume.get("persistentVolumeClaim"):
                folder = self._volume(claim["claimName"])
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in self._files(volume):
                (folder / name).write_text(content)
            mounts[mount["mountPath"]] = folder
        return mounts

    def _volume(self, claim: str) -> Path:
        """Where the volume of a claim is; what is written there outlives the pod."""
        answer = self._http.get(self._path("persistentvolumeclaims", claim)).json()
        if answer.get("status", {}).get("phase") != "Bound":
            raise Unready(f'persistentvolumeclaim "{claim}" is not bound')
        return self._folder / str(answer["spec"]["volumeName"])

    def _files(self, volume: Body) -> Iterator[tuple[str, str]]:
        if secret := volume.get("secret"):
            data = self._data("secrets", secret["secretName"])
            for item in secret["items"]:
                yield item["path"], _key(data, item["key"], secret["secretName"])
        if config := volume.get("configMap"):
            yield from self._data("configmaps", config["name"]).items()

    def _environment(self, pod: _Pod, mounts: Mapping[str, Path]) -> dict[str, str]:
        values: dict[str, str] = {}
        for variable in pod.body["spec"]["containers"][0].get("env", ()):
            text = variable.get("value", "")
            source = variable.get("valueFrom", {})
            if ref := source.get("secretKeyRef"):
                text = _key(self._data("secrets", ref["name"]), ref["key"], ref["name"])
            elif ref := source.get("configMapKeyRef"):
                text = _key(self._data("configmaps", ref["name"]), ref["key"], ref["name"])
            elif ref := source.get("fieldRef"):
                text = {"metadata.namespace": self._namespace, "status.podIP": "127.0.0.1"}[ref["fieldPath"]]
            text = _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)
            values[variable["name"]] = self._placed(text, pod, mounts)
        return values

    def _placed(self, text: str, pod: _Pod, mounts: Mapping[str, Path]) -> str:
        """With addresses and paths as they are on this machine."""

        def listen(found: re.Match[str]) -> str:
            port = pod.ports.setdefault(int(found[1]), free_ports(1)[0])
            return f"127.0.0.1:{port}"

        for path, folder in mounts.items():
            if text == path or text.startswith(f"{path}/"):
                text = str(folder) + text.removeprefix(path)
                break
        return _LISTEN.sub(listen, text)

    def _report(
        self, pod: _Pod, phase: str, *, ready: bool = False, exit_code: int | None = None, waiting: Body | None = None
    ) -> None:
        container = pod.body["spec"]["containers"][0]
        state: Body = {"running": {}} if phase == "Running" else {"waiting": waiting}
        if exit_code is not None:
            state = {"terminated": {"exitCode": exit_code}}
        containers = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": ready,
            "restartCount": pod.restarts,
            "state": state,
        }
        status: Body = {"phase": phase, "podIP": "127.0.0.1", "containerStatuses": [containers]}
        if status | {"ready": ready} == pod.reported:
            return
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        value = "True" if ready else "False"
        types = ("Ready", "ContainersReady", "Initialized", "PodScheduled")
        conditions = [
            {"type": each, "status": value if "Ready" in each else "True", "lastTransitionTime": moment}
            for each in types
        ]
        path = self._path("pods", f"{pod.body['metadata']['name']}/status")
        patch = {"status": {**status, "conditions": conditions, "startTime": moment}}
        if self._http.patch(path, json=patch, headers=_MERGE).is_success:
            pod.reported = status | {"ready": ready}

    def _has_ended(self, uid: str) -> bool:
        """Whether nothing of that pod runs any more; it is told to end first."""
        pod = self._pods.get(uid)
        if pod is not None and pod.process is not None:
            if pod.process.exit_code is None:
                if not pod.ending:
                    pod.process.signal(signal.SIGTERM)
                pod.ending = True
                return False
            pod.process.kill()
        self._pods.pop(uid, None)
        return True

    def _let_go(self, claim: Body) -> None:
        """As Kubernetes does, when no pod uses it any more."""
        with self._lock:
            volumes = [volume for pod in self._pods.values() for volume in pod.body["spec"].get("volumes", ())]
        name = claim["metadata"]["name"]
        if not any(volume.get("persistentVolumeClaim", {}).get("claimName") == name for volume in volumes):
            patch = {"metadata": {"finalizers": None}}
            self._http.patch(self._path("persistentvolumeclaims", name), json=patch, headers=_MERGE)

    def _provision(self, claim: Body) -> None:
        """A volume for it, as a storage class would make."""
        metadata, spec = claim["metadata"], claim["spec"]
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"volume-{metadata['uid']}"},
            "spec": {
                "capacity": spec["resources"]["requests"],
                "accessModes": spec["accessModes"],
                "storageClassName": spec.get("storageClassName", ""),
                "hostPath": {"path": str(self._folder / f"volume-{metadata['uid']}")},
                "claimRef": {"namespace": self._namespace, "name": metadata["name"], "uid": metadata["uid"]},
            },
        }
        self._http.post("/api/v1/persistentvolumes", json=volume)

    def _resolve(self, host: str, port: int) -> str | None:
        """Where a Service's port is here; None when nothing ready is behind it."""
        name = host.partition(".")[0]
        if host != f"{name}.{self._namespace}.svc":
            return None
        service = self._http.get(self._path("services", name)).json()
        ports = [each for each in service.get("spec", {}).get("ports", ()) if each["port"] == port]
        selector = service.get("spec", {}).get("selector", {})
        with self._lock:
            for pod in self._pods.values():
                labels = pod.body["metadata"].get("labels", {})
                if ports and selector.items() <= labels.items() and pod.reported.get("ready"):
                    declared = pod.body["spec"]["containers"][0]["ports"]
                    target = next(each["containerPort"] for each in declared if each["name"] == ports[0]["targetPort"])
                    return f"127.0.0.1:{pod.ports[target]}"
        return None

    def _data(self, plural: str, name: str) -> dict[str, str]:
        answer = self._http.get(self._path(plural, name))
        if answer.status_code == 404:
            raise Unready(f'{plural.removesuffix("s")} "{name}" not found')
        data: dict[str, str] = answer.json().get("data", {})
        if plural == "configmaps":
            return data
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def _items(self, plural: str) -> list[Body]:
        answer = self._http.get(self._path(plural))
        items: list[Body] = answer.json()["items"] if answer.is_success else []
        return items

    def _path(self, plural: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self._namespace}/{plural}" + (f"/{name}" if name else "")


def _component(body: Body) -> str:
    return str(body["metadata"].get("labels", {}).get("app.kubernetes.io/component", "none"))


def _key(data: Mapping[str, str], key: str, name: str) -> str:
    if key not in data:
        raise Unready(f"couldn't find key {key} in {name}")
    return data[key]


def _probe(pod: _Pod) -> bool:
    """The readiness probe; a container without one is ready."""
    container = pod.body["spec"]["containers"][0]
    probe = container.get("readinessProbe", {}).get("httpGet")
    if probe is None:
        return True
    port = next(each["containerPort"] for each in container["ports"] if each["name"] == probe["port"])
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{pod.ports[port]}{probe['path']}", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def _program(arguments: list[str], log: Path, environment: Mapping[str, str]) -> Process:
    return Process(
        f"coder-enterprise {arguments[0]}", [sys.executable, "-m", "coder_enterprise", *arguments], log, environment
    )
