"""What Flux, Argo CD and k9s have beside their programs, from the archives of their Go modules: called by the tests.

Which archives is pinned in archives.txt. What was once unpacked stays in .cache/go; this project keeps nothing of it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tools.kubernetes.binaries import NotAvailable, environment, go
from tools.kubernetes.modules import HERE, MODULE_OF

PINS: Final = HERE / "archives.txt"
CRDS: Final = {
    "kustomize-controller": {
        "github.com/fluxcd/kustomize-controller": "config/crd/bases",
        "github.com/fluxcd/source-controller": "config/crd/bases",
    },
    "argocd": {"github.com/argoproj/argo-cd/v3": "manifests/crds"},
}
"""Of each program: the modules, and where in them the CRDs are."""
K9S: Final = "github.com/derailed/k9s"


def locate_crds(program: str) -> list[Path]:
    """One manifest for each. Raises `NotAvailable`."""
    folders = [_unpacked(module, program) / folder for module, folder in CRDS[program].items()]
    return [file for folder in folders for file in sorted(folder.glob("*.yaml")) if file.name != "kustomization.yaml"]


def locate_file(program: str, path: str) -> Path:
    """A file of the archive that the program is built from; it may not be executable. Raises `NotAvailable`."""
    return _unpacked(MODULE_OF[program].path, program) / path


def locate_k9s_schema() -> Path:
    """What k9s accepts as a file of plugins. Raises `NotAvailable`."""
    return _unpacked(K9S, "kubectl") / "internal" / "config" / "json" / "schemas" / "plugins.json"


def pins() -> dict[str, tuple[str, str]]:
    """Version and checksum of each module."""
    lines = (line.split() for line in PINS.read_text().splitlines() if not line.startswith("#"))
    return {module: (version, checksum) for module, version, checksum in lines}


def _unpacked(module: str, program: str) -> Path:
    version, checksum = pins()[module]
    command = [str(go(MODULE_OF[program])), "mod", "download", "-json", f"{module}@{version}"]
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(command, cwd=nowhere, env=environment(), capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout or "{}")
    if done.returncode or answer.get("Sum") != checksum:
        cause = answer.get("Error") or (done.stderr if done.returncode else "other text")
        raise NotAvailable(f"{module} {version} could not be had: {cause}")
    return Path(answer["Dir"])
