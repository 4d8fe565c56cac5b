"""One program of an image in a container by runc, as a hardened cluster would start it: called by `tools.image.trial`.

A user who has no entry in /etc/passwd, the group that OpenShift gives everybody, a root that nobody can write to, no
capabilities, no network but the loopback, and of the environment only what the image sets.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tools.image.archive import Archive
from tools.processes import Process

USER: Final = {"uid": 1000670000, "gid": 0}
NAMESPACES: Final = ("pid", "mount", "ipc", "uts", "network")


class Unpacked:
    """An image whose files are in `folder`, so that containers can be started from it."""

    def __init__(self, archive: Archive, folder: Path) -> None:
        self._config = archive.config["config"]
        self.entrypoint: Sequence[str] = self._config["Entrypoint"]
        self._folder = folder
        self._count = 0
        archive.unpack(folder / "root")

    def start(self, words: Sequence[str], *, tmp: bool = False) -> Process:
        """With `tmp` it can write to /tmp, and nowhere without. What it says goes to the log of the process."""
        self._count += 1
        name = f"coder-enterprise-{self._folder.name}-{self._count}"
        bundle = self._folder / name
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self._specification(words, tmp)))
        runc = [shutil.which("runc") or "runc", "--root", str(self._folder / "runc")]
        return Process(words[0], [*runc, "run", "--bundle", str(bundle), name], bundle / "log")

    def _specification(self, words: Sequence[str], tmp: bool) -> dict[str, Any]:
        mounts = [_mount("proc", "/proc"), _mount("tmpfs", "/dev", "nosuid", "mode=755")]
        if tmp:
            mounts.append(_mount("tmpfs", "/tmp", "nosuid", "nodev", "mode=1777"))  # noqa: S108 - in the container
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": USER,
                "args": list(words),
                "env": self._config["Env"],
                "cwd": self._config["WorkingDir"],
                "noNewPrivileges": True,
                "capabilities": {},
            },
            "root": {"path": str(self._folder / "root"), "readonly": True},
            "mounts": mounts,
            "linux": {"namespaces": [{"type": each} for each in NAMESPACES]},
        }


def _mount(kind: str, target: str, *options: str) -> dict[str, Any]:
    return {"type": kind, "source": kind, "destination": target, "options": list(options)}
