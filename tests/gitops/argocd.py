"""Argo CD without its user interface: the application controller, the repo server, a Redis and a Git server.

The two are the same program under other names. Everything listens on 127.0.0.1, but for the controller's metrics,
whose address cannot be told.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import yaml

from tests.gitops.programs import answers
from tools.kubernetes.archives import locate_file
from tools.kubernetes.binaries import locate
from tools.kubernetes.control_plane import ControlPlane
from tools.processes import Process, free_ports

NAMESPACE: Final = "argocd"
PART_OF: Final = {"app.kubernetes.io/part-of": "argocd"}
READY_TIMEOUT: Final = 60.0
ANY: Final = "*"
AUTHOR: Final = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")

Body = dict[str, Any]


class ArgoCD:
    """A context manager; its ConfigMap argocd-cm is empty."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane = plane
        self._folder = folder
        self._programs = locate(["argocd", "redis", "helm"])
        self._stack = ExitStack()
        self._git = f"127.0.0.1:{free_ports(1)[0]}"

    def __enter__(self) -> ArgoCD:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def push(self, name: str, files: Mapping[str, str]) -> str:
        """A commit with just these files, in the repository of that name; its URL."""
        repository = self._folder / "git" / name
        if not repository.exists():
            _git("init", "--quiet", "--initial-branch=main", str(repository))
        _git("-C", str(repository), "rm", "-r", "--quiet", "--ignore-unmatch", ".")
        for path, text in files.items():
            file = repository / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        _git("-C", str(repository), "add", "--all")
        _git("-C", str(repository), *AUTHOR, "commit", "--quiet", "--allow-empty", "--message=Change")
        return f"git://{self._git}/{name}"

    def log(self) -> str:
        """The ends of all logs."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in self._folder.glob("*.log")
        )

    def _start(self) -> None:
        self._plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(_objects()))
        self._start_git()
        redis, repositories, repository_metrics, controller_metrics = free_ports(4)
        self._run("redis", [str(self._programs["redis"]), f"127.0.0.1:{redis}"])
        shared = [f"--redis=127.0.0.1:{redis}", "--loglevel=info"]
        self._run_argocd(
            "argocd-repo-server",
            *shared,
            "--disable-tls",
            "--client-ca-path=",
            "--address=127.0.0.1",
            f"--port={repositories}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={repository_metrics}",
            ready=lambda: answers(f"http://127.0.0.1:{repository_metrics}/healthz"),
        )
        self._run_argocd(
            "argocd-application-controller",
            *shared,
            f"--namespace={NAMESPACE}",
            f"--repo-server=127.0.0.1:{repositories}",
            "--repo-server-plaintext",
            f"--metrics-port={controller_metrics}",
            ready=lambda: answers(f"http://127.0.0.1:{controller_metrics}/healthz"),
        )

    def _start_git(self) -> None:
        folder = self._folder / "git"
        folder.mkdir()
        host, _, port = self._git.partition(":")
        daemon = git_daemon()
        assert daemon is not None
        options = [f"--base-path={folder}", "--export-all", f"--listen={host}", f"--port={port}"]
        self._run("git-daemon", [str(daemon), *options])

    def _run_argocd(self, name: str, *options: str, ready: Callable[[], bool]) -> None:
        environment = {
            "ARGOCD_BINARY_NAME": name,
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_TLS_DATA_PATH": str(self._folder),
            "ARGOCD_SSH_DATA_PATH": str(self._folder),
            "KUBECONFIG": str(self._plane.kubeconfig),
            "HOME": str(self._folder),
            "PATH": os.pathsep.join([str(self._scripts()), str(self._programs["helm"].parent), os.environ["PATH"]]),
            "TMPDIR": str(self._folder),
        }
        process = self._run(name, [str(self._programs["argocd"]), *options], environment)
        process.wait_until(ready, READY_TIMEOUT)

    def _scripts(self) -> Path:
        """A folder with what the image of Argo CD has in its PATH; the script is called for each commit."""
        script = self._folder / "bin" / "git-verify-wrapper.sh"
        script.parent.mkdir(exist_ok=True)
        shutil.copyfile(locate_file("argocd", f"hack/{script.name}"), script)
        script.chmod(0o755)
        return script.parent

    def _run(self, name: str, command: list[str], environment: Mapping[str, str] | None = None) -> Process:
        process = Process(name, command, self._folder / f"{name}.log", environment)
        self._stack.callback(process.kill)
        return process


def git_daemon() -> Path | None:
    """Git's own server, if it is on this machine. "git daemon" would be its parent, and alone end with us."""
    if shutil.which("git") is None:
        return None
    daemon = Path(_git("--exec-path")) / "git-daemon"
    return daemon if daemon.exists() else None


def _objects() -> list[Body]:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    labels = {"namespace": NAMESPACE, "labels": PART_OF}
    project = {
        "sourceRepos": [ANY],
        "destinations": [{"server": ANY, "namespace": ANY}],
        "clusterResourceWhitelist": [{"group": ANY, "kind": ANY}],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", **labels}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "argocd-secret", **labels},
            "data": {"server.secretkey": key},
        },
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": project,
        },
    ]


def _git(*arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()
