"""Helm as a user runs it, with settings and caches of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tools.kubernetes.control_plane import ControlPlane

CHART: Final = Path(__file__).parents[2] / "charts" / "coder-enterprise"
RELEASE: Final = "coder-enterprise"

Body = dict[str, Any]


class HelmFailed(AssertionError):
    """The message is Helm's own."""


class Helm:
    """For one cluster, or with no `plane` for none."""

    def __init__(self, program: Path, folder: Path, plane: ControlPlane | None = None) -> None:
        self._program = program
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "KUBECONFIG": str(plane.kubeconfig) if plane else str(folder / "none"),
            "HELM_CACHE_HOME": str(folder / "cache"),
            "HELM_CONFIG_HOME": str(folder / "config"),
            "HELM_DATA_HOME": str(folder / "data"),
        }

    def __call__(self, *arguments: str) -> str:
        """What it prints. Raises `HelmFailed`."""
        command = [str(self._program), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment)
        if result.returncode:
            raise HelmFailed(result.stderr or result.stdout)
        return result.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same beside the test, which waits for it."""
        return subprocess.Popen(
            [str(self._program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        )

    def template(self, *options: str, namespace: str = RELEASE, chart: Path = CHART) -> list[Body]:
        """The objects that the chart makes, hooks among them. Raises `HelmFailed`."""
        text = self("template", RELEASE, str(chart), "--namespace", namespace, *options)
        return [body for body in yaml.safe_load_all(text) if body]


def values(**settings: str) -> list[str]:
    """Options for Helm: `server__enabled="true"` is --set server.enabled=true."""
    return [f"--set={name.replace('__', '.')}={value}" for name, value in settings.items()]
