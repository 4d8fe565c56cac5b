"""Buildah with a store of its own: what is built here neither meets nor leaves anything in the machine's own store.

Called by `base`, `stand_in` and `build`. Steps of the build run without a container runtime and see the machine's
network and, where the machine has them set, its certificates and its package index: mounted while they run, and in no
layer of the image.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tools.commands import StepFailed, output, run

HOST: Final = "/run/host"
"""Where the build sees files of the machine."""
STORE: Final = """[storage]
driver = "overlay"
graphroot = "{folder}/store"
runroot = "{folder}/run"
[storage.options.overlay]
skip_mount_home = "true"
"""
"""A store that mounted itself could not be removed with its folder."""
INDEX_OPTIONS: Final = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")
"""Of pip's settings, those that say how to reach packages."""


class Buildah:
    """Everything it makes is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "storage.conf"
        file.write_text(STORE.format(folder=folder.resolve()))
        self._environment = os.environ | {"CONTAINERS_STORAGE_CONF": str(file)}

    def run(self, *arguments: str | Path) -> None:
        """Raises `StepFailed`."""
        run("buildah", *arguments, env=self._environment)

    def output(self, *arguments: str | Path) -> str:
        """What it prints. Raises `StepFailed`."""
        return output("buildah", *arguments, env=self._environment)

    def succeeds(self, *arguments: str, timeout: float) -> bool:
        """In `timeout` seconds."""
        try:
            output("buildah", *arguments, env=self._environment, timeout=timeout)
        except StepFailed:
            return False
        return True

    def has(self, image: str) -> bool:
        return self.succeeds("inspect", "--type=image", image, timeout=30)

    def build(self, context: Path, tag: str, arguments: Mapping[str, str], *, epoch: int, cache: bool = True) -> None:
        """The Dockerfile of `context`, as an image of that name, as if made at `epoch`. Raises `StepFailed`."""
        options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        options += [f"--volume={source}:{target}:ro" for source, target in self._machine()]
        if not cache:
            options.append("--no-cache")
        self.run(
            *("build", "--pull=never", "--layers", "--isolation=chroot", "--network=host", f"--timestamp={epoch}"),
            *options,
            f"--tag={tag}",
            context,
        )

    def export(self, image: str, archive: Path) -> None:
        """As a tar file in the layout that the Open Container Initiative describes. Raises `StepFailed`."""
        archive.unlink(missing_ok=True)
        self.run("push", "--quiet", image, f"oci-archive:{archive}:{image}")

    def _machine(self) -> Iterator[tuple[Path, str]]:
        """Files of this machine that the build needs to reach packages, and where it sees them."""
        settings = pip_settings()
        certificates = settings.get("cert") or os.environ.get("SSL_CERT_FILE")
        lines = [f"{option} = {settings[option]}" for option in INDEX_OPTIONS if option in settings]
        if certificates and Path(certificates).is_file():
            target = f"{HOST}/ca-certificates.crt"
            lines.append(f"cert = {target}")
            yield Path(certificates).resolve(), target
        if lines:
            file = self.folder / "pip.conf"
            file.write_text("\n".join(["[global]", *lines, ""]))
            yield file.resolve(), "/etc/pip.conf"


def pip_settings() -> dict[str, str]:
    """What pip has been told on this machine, by files and by variables, which count more."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        sections.setdefault(section, {})[option.lstrip(".")] = "".join(shlex.split(value))
    return sections["global"] | sections["install"] | sections[":env:"]
