"""A Kubernetes that somebody else runs, in place of the control plane that the tests start: for `make e2e-kind`.

E2E_KUBECONFIG names the kubeconfig of an administrator. What only the owner of a control plane can do is skipped.
"""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

import pytest
import yaml
from typing_extensions import override

from tools import folders
from tools.kubernetes.arguments import Place
from tools.kubernetes.binaries import locate
from tools.kubernetes.control_plane import ControlPlane

VARIABLE: Final = "E2E_KUBECONFIG"
ACCOUNT: Final = "coder-enterprise-tests"


def is_named() -> bool:
    return VARIABLE in os.environ


class ExistingCluster(ControlPlane):
    """Its `kubeconfig` is that of a service account which may do everything, whose token the tests can send."""

    @override
    def start(self) -> None:
        self._binaries = locate(["kubectl"])
        given = Path(os.environ[VARIABLE])
        cluster = yaml.safe_load(given.read_text())["clusters"][0]["cluster"]
        server = urlsplit(cluster["server"])
        folder = folders.make("tests")
        self._place = Place(folder, server.hostname or "", server.port or 443)
        self.ca_file.parent.mkdir()
        self.ca_file.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        shutil.copy(given, self.kubeconfig)
        self._apply(f"serviceaccount/{ACCOUNT}")
        bound = ("--clusterrole=cluster-admin", f"--serviceaccount=default:{ACCOUNT}")
        self._apply(f"clusterrolebinding/{ACCOUNT}", *bound)
        shutil.copy(self.service_account_kubeconfig("default", ACCOUNT), self.kubeconfig)

    @property
    @override
    def audit_log(self) -> Path:
        self._not_ours("its audit log")

    @override
    def add_nodes(self) -> None:
        self._not_ours("nodes whose pods run no containers")

    @override
    def stop_apiserver(self) -> None:
        self._not_ours("to stop its API server")

    def _apply(self, what: str, *options: str) -> None:
        kind, name = what.split("/")
        manifest = self.kubectl("create", kind, name, *options, "--dry-run=client", "-o", "yaml").stdout
        self.kubectl("apply", "-n", "default", "-f", "-", input=manifest)

    def _not_ours(self, what: str) -> NoReturn:
        pytest.skip(f"this cluster is not ours: {what}")
