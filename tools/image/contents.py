"""What an image must not hold, and how big it may be: looked up in its archive, called by `make image`."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Final

from tools.image.archive import MB, WHITEOUT, Archive

SIZE: Final = 190 * MB
COMPRESSED: Final = 60 * MB
SHELLS: Final = ("sh", "ash", "bash", "csh", "dash", "fish", "ksh", "zsh", "busybox", "toybox")
INSTALLERS: Final = ("apk", "apt", "apt-*", "dpkg", "dpkg-*", "dnf", "rpm", "yum", "pip", "pip3*", "easy_install*")
MODULES: Final = ("ensurepip", "pip", "setuptools")
"""Folders of Python packages that install others."""
OF_THE_BUILD: Final = ("etc/pip.conf", "run/host", "src", "root/.cache")
"""What only the build sees."""


def problems(archive: Archive) -> list[str]:
    """What is wrong with it, in sentences; none where all is well."""
    found = [problem for entry in archive.entries() for problem in _of_entry(entry)]
    if archive.size > SIZE:
        found.append(f"It has {archive.size / MB:.0f} MB; {SIZE / MB:.0f} are allowed.")
    if archive.compressed > COMPRESSED:
        found.append(f"It has {archive.compressed / MB:.0f} MB compressed; {COMPRESSED / MB:.0f} are allowed.")
    return found


def _of_entry(entry: tarfile.TarInfo) -> Iterator[str]:
    path = PurePosixPath(entry.name)
    name = path.name
    if name.startswith(WHITEOUT):
        yield f"A layer removes {path.with_name(name.removeprefix(WHITEOUT))}, which is shipped nevertheless."
    if entry.mode & 0o6000 and not entry.issym():
        yield f"{path} is setuid or setgid."
    if not entry.issym() and entry.mode & 0o002 and not entry.mode & 0o1000:
        yield f"{path} can be written by everybody."
    if not entry.issym() and entry.mode & 0o004 == 0:
        yield f"{path} cannot be read by everybody, and so not under any runAsUser."
    if path.parent.name in ("bin", "sbin") and any(fnmatch(name, each) for each in (*SHELLS, *INSTALLERS)):
        yield f"{path} is a shell or installs packages."
    if entry.isdir() and name in MODULES and ("site-packages" in path.parts or path.parent.name.startswith("python3")):
        yield f"{path} installs packages."
    if any(path.is_relative_to(each) for each in OF_THE_BUILD):
        yield f"{path} is of the build alone."
