"""The programs that an image and a node need from the distribution: says what is missing, or installs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Final

from tools.commands import run

PACKAGES: Final = {"buildah": "buildah", "runc": "runc", "debootstrap": "debootstrap"}
"""By program, as Debian names them."""


class ProgramsMissing(RuntimeError):
    """The message says what to install."""


def need(names: Iterable[str], *, install: bool = False, packages: Mapping[str, str] = PACKAGES) -> None:
    """Raises `ProgramsMissing`, or installs what is missing, where that was asked for and is possible."""
    missing = sorted({packages[name] for name in names if shutil.which(name) is None})
    if not missing:
        return
    command = ("apt-get", "install", "--yes", "--no-install-recommends", *missing)
    if install and os.geteuid() == 0 and shutil.which("apt-get"):
        run("apt-get", "update", "--quiet", "--quiet")
        run(*command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        return
    raise ProgramsMissing(
        f"{', '.join(missing)} must be installed. On Debian and its kin: sudo {' '.join(command)}; "
        "as root there, --install does so."
    )
