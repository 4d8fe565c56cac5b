"""A kind cluster that is gone at the end, whatever happens: used by `tools.kind`.

It needs Docker, which is not ours to install; kind, kubectl and helm are found or built as all programs are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any, Final, Self

from tools import folders
from tools.commands import run
from tools.kubernetes.binaries import locate

NAME: Final = "coder-enterprise-e2e"
NODE_TIMEOUT: Final = "180s"
NEEDS_DOCKER: Final = """make e2e-kind needs Docker: kind runs the nodes of its clusters in containers.
{problem}
Install Docker Engine (https://docs.docker.com/engine/install/) or Docker Desktop, start it, and see that `docker info`
answers for your user. Without Docker, `make test` has the same chart and the same tests on a control plane of its own.
"""


class DockerMissing(RuntimeError):
    """The message says what to install."""


def need_docker() -> None:
    """Raises `DockerMissing`."""
    if shutil.which("docker") is None:
        raise DockerMissing(NEEDS_DOCKER.format(problem="There is no `docker` on the PATH."))
    done = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if done.returncode:
        problem = f"`docker info` says: {done.stderr.strip() or done.stdout.strip()}"
        raise DockerMissing(NEEDS_DOCKER.format(problem=problem))


class KindCluster:
    """A context manager; `kubeconfig` belongs to an administrator."""

    def __init__(self) -> None:
        self.programs = locate(("kind", "kubectl", "helm"))
        self.folder = folders.make("kind")
        self.kubeconfig = self.folder / "kubeconfig"

    def __enter__(self) -> Self:
        try:
            self._kind("create", "cluster", "--wait", NODE_TIMEOUT)
        except BaseException:
            self._delete()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._delete()

    def load(self, image: str) -> None:
        run(self.programs["kind"], "load", "docker-image", image, "--name", NAME)

    def kubectl(self, *arguments: str, input: str | None = None) -> None:  # noqa: A002
        run(self.programs["kubectl"], "--kubeconfig", self.kubeconfig, *arguments, input=input)

    def helm(self, *arguments: str) -> None:
        run(self.programs["helm"], "--kubeconfig", str(self.kubeconfig), *arguments)

    def get(self, *arguments: str) -> Any:
        """`kubectl get`, read, and not shown."""
        command = [str(self.programs["kubectl"]), "--kubeconfig", str(self.kubeconfig), "get", *arguments, "-o", "json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def _kind(self, *arguments: str) -> None:
        run(self.programs["kind"], *arguments, "--name", NAME, "--kubeconfig", self.kubeconfig)

    def _delete(self) -> None:
        try:
            self._kind("delete", "cluster")
        finally:
            folders.remove(self.folder)
