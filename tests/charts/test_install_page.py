"""The page on installing, followed to the letter: every command, in the order of the page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.kubelet import Kubelet
from tools.kubernetes import binaries
from tools.kubernetes.control_plane import ControlPlane
from tools.pages import INSTALL, sections
from tools.server_process import CoderServer

pytestmark = pytest.mark.cluster

ROOT: Final = Path(__file__).parents[2]
NAMESPACE: Final = "coder-enterprise"
EXAMPLE: Final = "https://coder.example.com"
Follow = Callable[..., str]


@pytest.fixture
def clean_folder(tmp_path: Path) -> Path:
    """What a clone has of what the page needs, and nothing else."""
    for name in ("charts", "crds", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def follow(bare_plane: ControlPlane, clean_folder: Path, helm: Path) -> Iterator[Follow]:
    """Runs the commands of sections in bash, which ends at the first that fails; what they print."""
    programs = clean_folder / "bin"
    programs.mkdir()
    (programs / "helm").symlink_to(helm)
    (programs / "kubectl").symlink_to(binaries.locate(["kubectl"])["kubectl"])
    (programs / "coder-enterprise").symlink_to(Path(sys.executable).parent / "coder-enterprise")
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(clean_folder),
        "KUBECONFIG": str(bare_plane.kubeconfig),
    }

    def run(*titles: str, url: str = EXAMPLE) -> str:
        commands = "\n".join(block for title in titles for block in sections(INSTALL)[title]).replace(EXAMPLE, url)
        bash = ["bash", "-euo", "pipefail", "-c", commands]
        result = subprocess.run(bash, cwd=clean_folder, env=environment, capture_output=True, text=True, check=False)
        print(result.stdout)
        assert result.returncode == 0, result.stderr
        return result.stdout

    with Kubelet(bare_plane, NAMESPACE, clean_folder / "pods") as kubelet:
        yield run
        print(kubelet.logs("operator")[-4000:], kubelet.logs("server")[-4000:])


def test_helm_with_the_server(follow: Follow, bare_plane: ControlPlane) -> None:
    output = follow("Helm, with the server")
    assert re.search(r"^coder +True +Connected", output, re.MULTILINE)
    assert "coderappearance.enterprise.coder.com/coder condition met" in output
    follow("Upgrade", "Roll back", "Uninstall")
    assert NAMESPACE not in bare_plane.kubectl("get", "namespaces,crds", "-o", "name").stdout


def test_helm_for_a_coder_of_ones_own(
    follow: Follow, bare_plane: ControlPlane, clean_folder: Path, server: CoderServer
) -> None:
    (clean_folder / "my-token-file").write_text(server.token)
    follow("Helm, for a Coder of your own", url=server.url)
    status = bare_plane.get("coderdeployments", "coder", "-n", NAMESPACE)["status"]
    assert status["identity"]["username"] == "admin"
    follow("Uninstall")


def test_kustomize(follow: Follow, bare_plane: ControlPlane) -> None:
    assert "coderdeployment.enterprise.coder.com/coder condition met" in follow("kustomize")
    assert NAMESPACE not in bare_plane.kubectl("get", "namespaces,crds", "-o", "name").stdout
