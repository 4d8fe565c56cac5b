"""What somebody has who uses the cluster: kubectl, helm and a shell, and the server's API. Called by the `scenario`."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tools.coder_api import CoderAPI
from tools.commands import StepFailed
from tools.kubernetes.binaries import locate
from tools.node.node import Node
from tools.pages import INSTALL, sections

ROOT: Final = Path(__file__).parents[2]
NAME: Final = "coder-enterprise"
"""Of the release and of its namespace, as on the page on installing."""
SERVER: Final = f"{NAME}-server"
OPERATOR: Final = f"{NAME}-operator"
WAIT_TIMEOUT: Final = 240.0
INTERVAL: Final = 0.2
Body = dict[str, Any]


class Cluster:
    """Commands run in the clone, as on the page on installing."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._programs = node.logs.with_name("bin")
        self._programs.mkdir()
        for name, program in locate(("helm", "kubectl")).items():
            (self._programs / name).symlink_to(program)
        (self._programs / "coder-enterprise").symlink_to(Path(sys.executable).parent / "coder-enterprise")

    def follow_page(self, section: str, *options: str) -> None:
        """The commands of that section, as they stand there; `options` for helm install. Raises `StepFailed`."""
        commands = "".join(sections(INSTALL)[section])
        if options:
            commands = commands.replace("--create-namespace", f"--create-namespace {' '.join(options)}")
        self.shell(commands)

    def shell(self, commands: str) -> None:
        """In bash, which shows each command and ends at the first that fails. Raises `StepFailed`."""
        bash = ["bash", "-euxo", "pipefail", "-c", commands]
        if subprocess.run(bash, cwd=ROOT, env=self._environment, check=False).returncode:
            raise StepFailed("the last command that is shown above failed")

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`coder-enterprise` with these arguments, until the end of the block."""
        command = [str(self._programs / "coder-enterprise"), *arguments]
        with subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "HOME": str(self._programs.parent),
            "KUBECONFIG": str(self.node.plane.kubeconfig),
        }

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002
        """In the release's namespace; not shown."""
        return self.node.plane.kubectl("--namespace", NAME, *arguments, input=input).stdout

    def get(self, *arguments: str) -> Any:
        """`kubectl get` in the release's namespace, read."""
        return self.node.plane.get(*arguments, "--namespace", NAME)

    def restart(self, deployment: str) -> None:
        """And wait until all its new pods are ready and the old ones gone."""
        old = {pod["metadata"]["name"] for pod in self.pods(deployment)}
        self.kubectl("rollout", "restart", f"deployment/{deployment}")
        self.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=3m")
        self.wait_until(
            lambda: old.isdisjoint(pod["metadata"]["name"] for pod in self.pods(deployment)), f"{old} are gone"
        )

    def is_rolling_out(self, deployment: str) -> bool:
        status = self.get("deployment", deployment)
        wanted, now = status["spec"]["replicas"], status["status"]
        seen = now.get("observedGeneration") == status["metadata"]["generation"]
        return not (seen and now.get("updatedReplicas") == now.get("availableReplicas") == now["replicas"] == wanted)

    def pods(self, deployment: str = "") -> list[Body]:
        """Those of the release, or of one of its Deployments."""
        pods: list[Body] = self.get("pods")["items"]
        return [pod for pod in pods if pod["metadata"]["name"].startswith(deployment or NAME)]

    def server_url(self) -> str:
        """The server's Service, as kube-proxy serves it."""
        spec = self.get("service", SERVER)["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def owner_token(self) -> str:
        """A session token of the server's first owner."""
        return base64.b64decode(self.get("secret", f"{SERVER}-owner")["data"]["token"]).decode()

    @contextlib.contextmanager
    def coder(self) -> Iterator[CoderAPI]:
        """The server as its first owner sees it."""
        with contextlib.closing(CoderAPI(self.server_url(), self.owner_token())) as coder:
            yield coder

    def kill(self, pod: Body) -> None:
        """SIGKILL to its container, and wait until it runs again and is ready."""
        name, status = pod["metadata"]["name"], pod["status"]["containerStatuses"][0]
        os.kill(self.node.containers.process_of(status["containerID"].removeprefix("containerd://")), signal.SIGKILL)

        def is_back() -> bool:
            now = self.get("pod", name)["status"]["containerStatuses"][0]
            return bool(now["ready"]) and now["restartCount"] > status["restartCount"]

        self.wait_until(is_back, f"{name} is ready again")

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        """Raises `StepFailed`."""
        deadline = time.monotonic() + WAIT_TIMEOUT
        while not true():
            if time.monotonic() > deadline:
                raise StepFailed(f"it never came true that {what}")
            time.sleep(INTERVAL)
