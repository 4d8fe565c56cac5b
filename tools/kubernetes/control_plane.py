"""Starts and stops a real control plane: etcd, kube-apiserver and kube-controller-manager, and nodes if asked.

Used by the demo, the tests, the bench and `tools.node`. Everything lives in one temporary folder, which is removed at
the end, and listens on free ports of 127.0.0.1; the API server on another address, if one is named. No kubelet: nothing
runs containers here, and without `add_nodes` no pod is placed.
"""

from __future__ import annotations

import json
import os
import secrets
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tools import folders
from tools.kubernetes import arguments, nodes
from tools.kubernetes.arguments import LOOPBACK, Place
from tools.kubernetes.binaries import locate
from tools.kubernetes.modules import CONTROL_PLANE, NODES, OLDEST_APISERVER, OLDEST_CONTROL_PLANE
from tools.processes import Process, ProcessFailed, free_ports

READY_TIMEOUT: Final = 90.0
START_ATTEMPTS: Final = 3
ADMIN: Final = "admin"
STOPPED_IN_ORDER: Final = ("kwok", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
AUDIT_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete"]},
        {"level": "None"},
    ],
}
READS_POLICY: Final = {**AUDIT_POLICY, "rules": [{"level": "Metadata", "users": [ADMIN]}, {"level": "None"}]}
"""Each request of the administrator, whom the operator acts as here."""


class ControlPlane:
    """One control plane; a context manager. `kubeconfig` belongs to a cluster administrator.

    The `oldest` is the API server alone, of the oldest Kubernetes that the install page promises.
    """

    def __init__(
        self, *, audit_log: bool = False, audit_reads: bool = False, oldest: bool = False, address: str = LOOPBACK
    ) -> None:
        """`audit_reads`: an audit log, also of what is only read. `address`: one of this machine that pods reach, where
        a kubelet runs them."""
        self._audit = audit_log or audit_reads
        self._audit_policy = READS_POLICY if audit_reads else AUDIT_POLICY
        self._oldest = oldest
        self._address = address
        self._processes: dict[str, Process] = {}
        self._binaries: dict[str, Path] = {}
        self._place: Place | None = None

    def __enter__(self) -> ControlPlane:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """Data, certificates and logs of this run."""
        return self._started.folder

    @property
    def url(self) -> str:
        return self._started.url

    @property
    def kubeconfig(self) -> Path:
        return self._started.kubeconfig

    @property
    def ca_file(self) -> Path:
        return self._started.ca_file

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def etcd_url(self) -> str:
        return f"http://{LOOPBACK}:{self._started.etcd}"

    @property
    def pids(self) -> dict[str, int]:
        """Of its programs, by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def start(self) -> None:
        """Ready when it returns. Raises `ProcessFailed` with the log of what did not start."""
        self._binaries = locate(OLDEST_CONTROL_PLANE if self._oldest else CONTROL_PLANE)
        for attempt in range(START_ATTEMPTS):
            try:
                self._start_once()
            except ProcessFailed as error:
                # Another program may have taken a port between our look and the start.
                self.stop()
                if attempt == START_ATTEMPTS - 1 or "address already in use" not in str(error):
                    raise
            except BaseException:
                self.stop()
                raise
            else:
                return

    def stop(self) -> None:
        """Ends what was started and removes the folder."""
        for name in STOPPED_IN_ORDER:
            process = self._processes.pop(name, None)
            if process:
                process.stop()
        if self._place:
            folders.remove(self._place.folder)
            self._place = None

    def add_nodes(self) -> None:
        """From now on Deployments become ready, and Jobs complete, without containers."""
        self._binaries |= locate(NODES)
        self.kubectl("create", "-f", "-", input=yaml.safe_dump(nodes.manifest()))
        self.start_scheduler()
        self._run("kwok", arguments.for_kwok(self.kubeconfig, nodes.SELECTOR))

    def start_scheduler(self) -> None:
        """From now on pods are placed, where there are nodes."""
        self._binaries |= locate(["kube-scheduler"])
        self._run("kube-scheduler", arguments.for_scheduler(self.kubeconfig))

    def remove_nodes(self) -> None:
        """From now on no pod is placed; those that are placed stay as they are."""
        for name in NODES:
            process = self._processes.pop(name, None)
            if process:
                process.kill()
        self.kubectl("delete", "nodes", "--selector", nodes.SELECTOR)

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:  # noqa: A002
        """Run kubectl as the administrator. With `check`, raises `subprocess.CalledProcessError`."""
        result = subprocess.run(
            [str(self._binaries["kubectl"]), "--kubeconfig", str(self.kubeconfig), *args],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HOME": str(self.folder)},
        )
        if check and result.returncode:
            raise ProcessFailed(f"kubectl {' '.join(args)}: {result.stderr or result.stdout}")
        return result

    def get(self, *args: str) -> Any:
        """`kubectl get … -o json`, read."""
        return json.loads(self.kubectl("get", *args, "-o", "json").stdout)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a fresh token of that service account."""
        token = self.kubectl("create", "token", name, "-n", namespace).stdout.strip()
        path = self.folder / f"kubeconfig-{namespace}-{name}"
        path.write_text(_kubeconfig(self.url, self.ca_file, name, token))
        return path

    def stop_apiserver(self) -> None:
        """Kill the API server, as an outage does."""
        self._processes.pop("kube-apiserver").kill()

    def start_apiserver(self) -> None:
        """Bring it back on the same port with the same data."""
        program = OLDEST_APISERVER if self._oldest else "kube-apiserver"
        self._run("kube-apiserver", arguments.for_apiserver(self._started, *self._audit_arguments()), program)
        self._wait_for_apiserver()

    def kill_etcd(self) -> None:
        """The API server stays, and can do nothing."""
        self._processes.pop("etcd").kill()

    def start_etcd(self) -> None:
        """Bring it back on the same ports with the same data."""
        self._run("etcd", arguments.for_etcd(self._started))
        self._wait_for_apiserver()

    def _start_once(self) -> None:
        folder = folders.make("kubernetes")
        port, etcd, etcd_peer = free_ports(3)
        self._place = Place(folder, self._address, port, etcd, etcd_peer)
        (folder / "logs").mkdir()
        self._write_credentials()
        self._run("etcd", arguments.for_etcd(self._place))
        self.start_apiserver()
        if not self._oldest:
            self._run("kube-controller-manager", arguments.for_controller_manager(self._place))

    @property
    def _started(self) -> Place:
        if self._place is None:
            raise RuntimeError("the control plane is not started")
        return self._place

    def _run(self, name: str, options: Sequence[str], program: str = "") -> None:
        log = self.folder / "logs" / f"{name}.log"
        self._processes[name] = Process(name, [str(self._binaries[program or name]), *options], log)

    def _write_credentials(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self.folder / "sa.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        token = secrets.token_urlsafe(24)
        self._token = token
        (self.folder / "tokens.csv").write_text(f"{token},{ADMIN},{ADMIN},system:masters\n")
        (self.folder / "audit-policy.yaml").write_text(yaml.safe_dump(self._audit_policy))
        self.kubeconfig.write_text(_kubeconfig(self.url, self.ca_file, ADMIN, token))
        for path in ("sa.key", "tokens.csv", "kubeconfig"):
            (self.folder / path).chmod(0o600)

    def _wait_for_apiserver(self) -> None:
        self._processes["kube-apiserver"].wait_until(self._is_ready, READY_TIMEOUT)

    def _is_ready(self) -> bool:
        etcd = self._processes["etcd"]
        if etcd.exit_code is not None:
            raise ProcessFailed(f"etcd ended with {etcd.exit_code}:\n{etcd.tail()}")
        if not self.ca_file.exists():
            return False
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self._token}"})
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            with urllib.request.urlopen(request, context=context, timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, ssl.SSLError):
            return False

    def _audit_arguments(self) -> list[str]:
        if not self._audit:
            return []
        return [
            f"--audit-policy-file={self.folder / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit_log}",
        ]


def _kubeconfig(url: str, ca_file: Path, user: str, token: str) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "local",
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": user}}],
        "clusters": [{"name": "local", "cluster": {"server": url, "certificate-authority": str(ca_file)}}],
        "users": [{"name": user, "user": {"token": token}}],
    }
    return yaml.safe_dump(config)
