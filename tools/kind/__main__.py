"""`python -m tools.kind`: called by `make e2e-kind`, on a machine with Docker.

Builds the image, installs the chart with it in a kind cluster, applies the examples, runs the end-to-end tests against
that cluster, and uninstalls. The cluster is deleted in the end, also when something fails. Exit codes: 0, or 1 when
something failed or Docker is missing.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import yaml

from tools.coder_api import CoderAPI
from tools.commands import StepFailed, run
from tools.examples import KINDS, TEMPLATES, examples
from tools.kind.cluster import DockerMissing, KindCluster, need_docker
from tools.kubernetes.binaries import NotAvailable
from tools.processes import Process, ProcessFailed
from tools.server_process import public_keys

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "charts" / "coder-enterprise"
REPOSITORY: Final = "ghcr.io/coder-enterprise-operator/coder-enterprise"
TAG: Final = "e2e"
NAME: Final = "coder-enterprise"
"""Of the release and of its namespace."""


def install(cluster: KindCluster) -> None:
    """Operator and server, and wait until they are ready."""
    image = f"{REPOSITORY}:{TAG}"
    run("docker", "build", "--tag", image, ROOT)
    cluster.load(image)
    values = {
        "image": {"tag": TAG, "pullPolicy": "Never"},
        "operator": {"replicas": 2},
        "server": {"enabled": True, "licenseKeys": public_keys()},
        # The tests bring operators of their own for their namespaces.
        "watchNamespaces": [NAME],
    }
    file = cluster.folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    where = ("--namespace", NAME, "--create-namespace")
    cluster.helm("install", NAME, str(CHART), *where, "--values", str(file), "--wait", "--timeout", "5m")
    cluster.helm("test", NAME, "--namespace", NAME)


def apply_examples(cluster: KindCluster) -> None:
    """And wait until all are Ready."""
    with server(cluster) as coder:
        for name in TEMPLATES:
            coder.create_template(name)
    cluster.kubectl("apply", "--namespace", NAME, "-f", "-", input=yaml.safe_dump_all(examples()))
    cluster.kubectl("wait", "--namespace", NAME, "--for=condition=Ready", KINDS, "--all", "--timeout=120s")
    cluster.kubectl("get", "coder", "--namespace", NAME, "-o", "wide")


@contextlib.contextmanager
def server(cluster: KindCluster) -> Iterator[CoderAPI]:
    """The chart's server as its first owner sees it, through a port of 127.0.0.1."""
    token = base64.b64decode(cluster.get("secret", f"{NAME}-server-owner", "-n", NAME)["data"]["token"]).decode()
    log = cluster.folder / "port-forward.log"
    options = ("--kubeconfig", str(cluster.kubeconfig), "--namespace", NAME)
    command = [str(cluster.programs["kubectl"]), "port-forward", *options, f"service/{NAME}-server", ":80"]
    process = Process("kubectl port-forward", command, log)
    try:
        process.wait_until(lambda: " -> " in log.read_text(), 30)
        address = log.read_text().partition("Forwarding from ")[2].split()[0]
        with contextlib.closing(CoderAPI(f"http://{address}", token)) as coder:
            yield coder
    finally:
        process.stop()


def test(cluster: KindCluster) -> None:
    """The end-to-end tests, with operators and servers of their own outside of the cluster."""
    command = [sys.executable, "-m", "pytest", "tests/end_to_end"]  # one process: their namespaces have numbers
    environment = os.environ | {"E2E_KUBECONFIG": str(cluster.kubeconfig)}
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        raise StepFailed("pytest tests/end_to_end")


def uninstall(cluster: KindCluster) -> None:
    """While its objects exist: they must be deletable afterwards, without an operator."""
    cluster.helm("uninstall", NAME, "--namespace", NAME, "--wait", "--timeout", "3m")
    cluster.kubectl("delete", "namespace", NAME, "--timeout=120s")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        need_docker()
        with KindCluster() as cluster:
            for step in (install, apply_examples, test, uninstall):
                step(cluster)
    except (DockerMissing, NotAvailable, ProcessFailed, StepFailed) as error:
        print(f"{error}" if isinstance(error, DockerMissing) else f"e2e-kind failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("The chart, the examples and the end-to-end tests came true in a kind cluster.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
