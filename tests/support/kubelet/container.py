"""One container as a process: as a kubelet runs it where we are root on Linux, and as near as can be elsewhere.

Called by `agent`. Its program is this code, in this interpreter; its variables are the image's, as the Dockerfile says
them, and the pod's.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.image.dockerfile import ROOT, environment
from tests.support.kubelet import isolation, limits
from tools.processes import Process

DIRECTORY: Final = "/tmp"
SHARED: Final = (
    *("/usr", "/etc/ssl", "/etc/ld.so.cache", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"),
)
"""Of this machine, what an image has, a runtime adds, or this interpreter needs: no user is known there."""
SYSTEM: Final = ("/bin", "/lib", "/lib64", "/sbin")
"""Links into /usr on some systems, folders on others."""
ADMINISTRATE: Final = 21
"""CAP_SYS_ADMIN."""


@dataclass(frozen=True)
class Mount:
    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True)
class Container:
    """What a pod says about its only one."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    hostname: str
    user: int
    group: int
    groups: Sequence[int]
    read_only: bool
    memory: int | None
    """Bytes."""
    program: Sequence[str] = ("-m", "coder_enterprise")
    """What this interpreter runs."""

    def start(self, folder: Path, log: Path) -> Process:
        """`folder`, whose name no other container has, is for files of its own."""
        root = folder / "root"
        root.mkdir(exist_ok=True)
        file = folder / "plan.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(self._plan(root, limits.group(folder.name, self.memory))))
        command = [sys.executable, "-I", "-S", str(Path(isolation.__file__)), str(file)]
        return Process(f"the container {self.hostname}", command, log)

    def _plan(self, root: Path, group: Path | None) -> dict[str, Any]:
        """What `isolation` reads."""
        isolated = not missing_rights()
        placed = (lambda text: text) if isolated else self._placed
        links = {path: Path(path).readlink() for path in SYSTEM if Path(path).is_symlink()}
        return {
            "isolated": isolated,
            "root": str(root),
            "links": {path.lstrip("/"): str(target) for path, target in links.items()},
            "shared": [path for path in _shared() if Path(path).exists()],
            "mounts": [(str(mount.source), mount.target, mount.read_only) for mount in self.mounts],
            "read_only": self.read_only,
            "group_of_limits": None if group is None else str(group),
            "hostname": self.hostname,
            "user": self.user,
            "group": self.group,
            "groups": list(self.groups),
            "directory": DIRECTORY,
            "environment": _image() | {name: placed(value) for name, value in self.environment.items()},
            "command": [sys.executable, *_compiled(), *self.program, *map(placed, self.arguments)],
        }

    def _placed(self, text: str) -> str:
        """A path in a mount, as it is on this machine."""
        for mount in self.mounts:
            if text == mount.target or text.startswith(f"{mount.target}/"):
                return str(mount.source) + text.removeprefix(mount.target)
        return text


@functools.cache
def missing_rights() -> str:
    """Why containers cannot be isolated here; nothing when they are."""
    if sys.platform != "linux":
        return "this is not Linux"
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    if os.geteuid() != 0 or not int(status["CapEff"], 16) >> ADMINISTRATE & 1:
        return "that takes root"
    return ""


def compromises() -> list[str]:
    """What containers do not have here, in sentences."""
    if reason := missing_rights():
        return [f"Pods run as this user, beside each other, on a root that is not read-only: {reason}."]
    if reason := limits.missing():
        return [f"Pods run without limits: {reason}."]
    return []


def _image() -> dict[str, str]:
    return environment() | {"PATH": str(Path(sys.executable).parent)}


def _compiled() -> list[str]:
    """In an image all is compiled: here it is where this process has it, if that is a folder of its own."""
    return ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []


def _shared() -> list[str]:
    """Outer folders before those inside of them."""
    ours = {sys.base_prefix, sys.prefix, sys.pycache_prefix or sys.prefix, str(ROOT / "operator")}
    return sorted({*SHARED, *(path for path in SYSTEM if not Path(path).is_symlink()), *ours})
