"""A stand-in for the public Python image: Debian by debootstrap, and this machine's Python in /usr/local.

Called by `base`, for places that reach a package mirror and no registry. It serves to build and to try the image, never
to publish it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.commands import output, run
from tools.image.builder import Buildah

VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
ALSO: Final = ("ca-certificates", "netbase", "tzdata")
"""Packages that the public image has besides the libraries of Python."""
LEFT_OUT: Final = ("site-packages", "test", "tests", "idle_test", "tkinter", "_tkinter.*", "*.a", "__pycache__")


class NotHere(RuntimeError):
    """No stand-in can be made on this machine; the message says what is missing."""


def make(buildah: Buildah) -> str:
    """Its name in the store; one that is there already is taken. Raises `NotHere` and `StepFailed`."""
    release = _release()
    prefix = Path(sys.base_prefix)
    image = f"localhost/python:{platform.python_version()}-{release}-stand-in"
    if buildah.has(image):
        return image
    with _container(buildah) as (container, root):
        packages = sorted({*ALSO, *_packages(prefix)})
        include = f"--include={','.join(packages)}"
        run("debootstrap", "--variant=minbase", include, release, root, _mirror(release))
        _copy(prefix, root / "usr" / "local")
        run("chroot", root, "ldconfig")
        run("chroot", root, f"/usr/local/bin/python{VERSION}", "-m", "ensurepip", "--default-pip")
        shutil.rmtree(root / "var" / "cache" / "apt", ignore_errors=True)
        buildah.run("config", "--env=PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        buildah.run("commit", "--quiet", container, image)
    return image


def _release() -> str:
    """The code name of this machine's Debian."""
    facts = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    if os.geteuid() != 0 or facts.get("ID") != "debian":
        raise NotHere(
            "The stand-in for the base image can be made by root on Debian. Elsewhere, let a registry be reached."
        )
    if sys.base_prefix == "/usr":
        raise NotHere(
            "The stand-in for the base image takes a Python with a prefix of its own, as pyenv and uv install; "
            f"{sys.executable} is the distribution's. Name another: make PYTHON=... image"
        )
    return facts["VERSION_CODENAME"]


@contextlib.contextmanager
def _container(buildah: Buildah) -> Iterator[tuple[str, Path]]:
    """An empty one, and where its root is."""
    container = buildah.output("from", "scratch")
    try:
        yield container, Path(buildah.output("mount", container))
    finally:
        buildah.run("rm", container)


def _mirror(release: str) -> str:
    """Where this machine's packages of that release come from."""
    lines = output(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"
    )
    for line in lines.splitlines():
        address, codename, component = line.split()
        if (codename, component) == (release, "main"):
            return address
    raise NotHere(f"apt's sources name no mirror of {release} main.")


def _packages(prefix: Path) -> set[str]:
    """Those that have the libraries which that Python needs."""
    modules = (prefix / "lib" / f"python{VERSION}" / "lib-dynload").glob("*.so")
    files = [prefix / "bin" / f"python{VERSION}", *(file for file in modules if not file.match("_tkinter.*"))]
    lines = [line.split() for file in files for line in output("ldd", file).splitlines()]
    needed = {Path(words[2]).name for words in lines if len(words) > 3 and not words[2].startswith(str(prefix))}
    return {_owner(name) for name in needed}


def _owner(library: str) -> str:
    """The package that has a library of that file name."""
    return output("dpkg-query", "--search", f"*/{library}").splitlines()[0].partition(":")[0]


def _copy(prefix: Path, target: Path) -> None:
    """As the public image has it: without tests, byte code, packages and what needs a screen."""
    for name in (f"bin/python{VERSION}", "include", "lib"):
        source = prefix / name
        if source.is_file():
            shutil.copy2(source, target / name)
        elif source.is_dir():
            ignore = shutil.ignore_patterns(*LEFT_OUT)
            shutil.copytree(source, target / name, symlinks=True, ignore=ignore, dirs_exist_ok=True)
    for link in ("python3", "python"):
        (target / "bin" / link).symlink_to(f"python{VERSION}")
    (target / "lib" / f"python{VERSION}" / "site-packages").mkdir()
