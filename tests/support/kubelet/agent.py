"""The kubelet itself: a thread that looks at the pods of its namespace, runs them, and tells the API server."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx2

from tests.support.kubelet import limits, volumes
from tests.support.kubelet.container import Container, missing_rights
from tests.support.kubelet.objects import Body, Objects, Unready
from tests.support.kubelet.pods import ADDRESS, Pod
from tests.support.service_proxy import ServiceProxy
from tools.kubernetes.control_plane import ControlPlane

INTERVAL: Final = 0.1
NODE: Final = "local"


class Kubelet:
    """A context manager; a thread of its own does the work."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self._plane = plane
        self._folder = folder
        self._pods: dict[str, Pod] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet")
        self._objects = Objects(plane, namespace)
        self._proxy = ServiceProxy(self._resolve)
        self.failure: Exception | None = None

    def __enter__(self) -> Kubelet:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        self._objects.http.post("/api/v1/nodes", json=node)
        self._proxy.start()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._thread.join()
        self._proxy.stop()
        for uid in list(self._pods):
            self._forget(uid)
        self._objects.close()
        if self.failure is not None:
            raise self.failure

    def logs(self, component: str) -> str:
        """What the pods of that component have logged so far, those that are gone too."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob(f"*/{component}.log")))

    def address(self, component: str) -> str:
        """Where a running pod of that component listens."""
        with self._lock:
            pods = [pod for pod in self._pods.values() if pod.component == component and pod.process]
            return f"{ADDRESS}:{next(iter(pods[0].ports.values()))}"

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
        bodies = {body["metadata"]["uid"]: body for body in self._objects.items("pods")}
        with self._lock:
            for uid, body in bodies.items():
                self._sync(uid, body)
            for uid in self._pods.keys() - bodies.keys():
                self._has_ended(uid)
        for claim in self._objects.items("persistentvolumeclaims"):
            if claim["metadata"].get("deletionTimestamp"):
                self._let_go(claim)
            elif claim["status"].get("phase") == "Pending" and not claim["spec"].get("volumeName"):
                self._provision(claim)

    def _sync(self, uid: str, body: Body) -> None:
        name = body["metadata"]["name"]
        if body["metadata"].get("deletionTimestamp"):
            if not self._has_ended(uid):
                return
            gone = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
            self._objects.http.request("DELETE", self._objects.path("pods", name), json=gone)
        elif not body["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"name": NODE}}
            self._objects.http.post(self._objects.path("pods", f"{name}/binding"), json=target)
        elif body["status"].get("phase") not in ("Succeeded", "Failed"):
            pod = self._pods.setdefault(uid, Pod(body, self._folder / name))
            pod.body = body
            self._advance(pod)

    def _advance(self, pod: Pod) -> None:
        if pod.process is None:
            try:
                self._start(pod)
            except Unready as error:
                self._report(pod, "Pending", waiting={"reason": "CreateContainerConfigError", "message": str(error)})
                return
        assert pod.process is not None
        code = pod.process.exit_code
        if code is None:
            self._report(pod, "Running", ready=pod.is_ready())
        elif pod.spec.get("restartPolicy") == "Never":
            self._report(pod, "Failed" if code else "Succeeded", exit_code=code)
        else:
            pod.restarts += 1
            pod.process = None

    def _start(self, pod: Pod) -> None:
        pod.folder.mkdir(parents=True, exist_ok=True)
        pod.ports = {}
        mounts = list(volumes.mounts(self._objects, pod.spec, pod.folder / "volumes", self._folder))
        environment = pod.variables(self._objects) | self._network()
        if pod.spec.get("automountServiceAccountToken"):
            account = pod.spec["serviceAccountName"]
            mounts.append(volumes.service_account(self._objects, self._plane, account, pod.folder / "volumes"))
            if missing_rights():  # nothing can be mounted where the programs look
                path = self._plane.service_account_kubeconfig(self._objects.namespace, account)
                environment["KUBECONFIG"] = str(path)
        security = pod.spec.get("securityContext", {}) | pod.container.get("securityContext", {})
        container = Container(
            arguments=[pod.placed(text) for text in pod.container["args"]],
            environment=environment,
            mounts=mounts,
            hostname=pod.name,
            user=security.get("runAsUser", 0),
            group=security.get("runAsGroup", 0),
            groups=[security["fsGroup"]] if "fsGroup" in security else [],
            read_only=security.get("readOnlyRootFilesystem", False),
            memory=pod.memory,
        )
        pod.process = container.start(pod.folder, pod.folder / f"{pod.component}.log")

    def _network(self) -> dict[str, str]:
        """Variables by which a pod finds the API server, and Services in spite of its network."""
        host, _, port = self._plane.url.removeprefix("https://").partition(":")
        return {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
            "HTTP_PROXY": self._proxy.url,
            "http_proxy": self._proxy.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def _report(
        self, pod: Pod, phase: str, *, ready: bool = False, exit_code: int | None = None, waiting: Body | None = None
    ) -> None:
        state: Body = {"running": {}} if phase == "Running" else {"waiting": waiting}
        if exit_code is not None:
            state = {"terminated": {"exitCode": exit_code}}
        container = {
            "name": pod.container["name"],
            "image": pod.container["image"],
            "imageID": "",
            "ready": ready,
            "restartCount": pod.restarts,
            "state": state,
        }
        status: Body = {"phase": phase, "podIP": ADDRESS, "containerStatuses": [container]}
        if status | {"ready": ready} == pod.reported:
            return
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        value = "True" if ready else "False"
        types = ("Ready", "ContainersReady", "Initialized", "PodScheduled")
        conditions = [
            {"type": each, "status": value if "Ready" in each else "True", "lastTransitionTime": moment}
            for each in types
        ]
        patch = {"status": {**status, "conditions": conditions, "startTime": moment}}
        if self._objects.patch("pods", f"{pod.name}/status", patch):
            pod.reported = status | {"ready": ready}

    def _has_ended(self, uid: str) -> bool:
        """Whether nothing of that pod runs any more; it is told to end first."""
        pod = self._pods.get(uid)
        if pod is not None and pod.process is not None and pod.process.exit_code is None:
            if not pod.ending:
                pod.process.signal(signal.SIGTERM)
            pod.ending = True
            return False
        self._forget(uid)
        return True

    def _forget(self, uid: str) -> None:
        """With all that runs of it."""
        pod = self._pods.pop(uid, None)
        if pod is not None and pod.process is not None:
            pod.process.kill()
            limits.remove(pod.folder.name)

    def _let_go(self, claim: Body) -> None:
        """As Kubernetes does, when no pod uses it any more."""
        with self._lock:
            volumes = [volume for pod in self._pods.values() for volume in pod.spec.get("volumes", ())]
        name = claim["metadata"]["name"]
        if not any(volume.get("persistentVolumeClaim", {}).get("claimName") == name for volume in volumes):
            self._objects.patch("persistentvolumeclaims", name, {"metadata": {"finalizers": None}})

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
                "claimRef": {"namespace": self._objects.namespace, "name": metadata["name"], "uid": metadata["uid"]},
            },
        }
        self._objects.http.post("/api/v1/persistentvolumes", json=volume)

    def _resolve(self, host: str, port: int) -> str | None:
        """Where a Service's port is here; None when nothing ready is behind it."""
        name = host.partition(".")[0]
        if host != f"{name}.{self._objects.namespace}.svc":
            return None
        service = self._objects.get("services", name).get("spec", {})
        ports = [each for each in service.get("ports", ()) if each["port"] == port]
        selector = service.get("selector", {})
        with self._lock:
            for pod in self._pods.values():
                labels = pod.body["metadata"].get("labels", {})
                if ports and selector.items() <= labels.items() and pod.reported.get("ready"):
                    return f"{ADDRESS}:{pod.port(ports[0]['targetPort'])}"
        return None
