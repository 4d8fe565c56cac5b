"""Argo CD's own program, asked what our patch of its ConfigMap makes of an object; it needs no cluster for that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import yaml

from tests.support.manifests import Body

DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "gitops" / "argocd"
PATCH: Final = DEPLOY / "customizations-patch.yaml"
SHOW_RESULT: Final = """sh -c 'cat "$1"'"""
"""What is run to compare two files: it shows the second one."""
CHANGED: Final = "Following fields have been changed:\n\n"


class ResourceOverrides:
    """Argo CD with the patch, and nothing else, in its ConfigMap."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._settings = folder / "argocd-cm.yaml"
        metadata = {"name": "argocd-cm", "namespace": "argocd", "labels": {"app.kubernetes.io/part-of": "argocd"}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **yaml.safe_load(PATCH.read_text())}
        self._settings.write_text(yaml.safe_dump(body))

    def health(self, body: Body) -> tuple[str, str]:
        """Its status and its message."""
        lines = (line.partition(": ") for line in self._said("health", body).splitlines())
        found = {key: value for key, _, value in lines}
        return found["STATUS"], found["MESSAGE"]

    def actions(self, body: Body) -> dict[str, bool]:
        """Which it has, and whether they can be chosen."""
        head, *rows = (line.split() for line in self._said("list-actions", body).splitlines())
        assert head == ["NAME", "DISABLED"]
        return {name: disabled == "false" for name, disabled in rows}

    def run(self, body: Body, action: str, **parameters: str) -> Body:
        """The object afterwards. Raises `Refused`."""
        options = [f"--param={name}={value}" for name, value in parameters.items()]
        said = self._said("run-action", body, action, *options)
        assert said.startswith(CHANGED)
        return dict(yaml.safe_load(said.removeprefix(CHANGED)))

    def _said(self, command: str, body: Body, *arguments: str) -> str:
        file = self._folder / f"{body['kind']}.yaml"
        file.write_text(yaml.safe_dump(body))
        done = subprocess.run(
            [
                *(str(self._program), "admin", "settings", "resource-overrides", command, str(file), *arguments),
                *("--argocd-cm-path", str(self._settings)),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self._folder),
                "TZ": "Asia/Kolkata",
                "KUBECTL_EXTERNAL_DIFF": SHOW_RESULT,
            },
        )
        if done.returncode:
            raise Refused(done.stderr)
        return done.stdout


class Refused(Exception):
    """Argo CD's words."""
