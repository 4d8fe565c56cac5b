"""Puts together the root of the image from this machine's: Python, and of Debian only what Python needs.

A step of the image's build, run by the Dockerfile in an image with Python in /usr/local. The new root has no shell and
no package manager; the notes that scanners read, and the licences, come along for each package that gave a file.
"""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

VERSION: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
USER: Final = 65532
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
LOADED_LATE: Final = "libgcc_s.so.1"
"""The C library loads it when a thread is cancelled."""
LEFT_OUT: Final = (
    *("__pycache__", "site-packages", "ensurepip", "config-*", "*.a"),
    *("test", "tests", "idle_test", "idlelib", "lib2to3", "pydoc_data"),
    *("tkinter", "_tkinter.*", "turtle.py", "turtledemo", "curses", "_curses*.so", "readline.*.so"),
    "nis.*.so",
)
"""Of Python: what installs packages, tests or teaches it, needs a screen or a terminal, or asks services long gone."""
FILES: Final = {
    "etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/tmp:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{USER}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
    "etc/ld.so.conf": "/usr/local/lib\n",
}


def make(root: Path, others: Iterable[Path]) -> None:
    """Into the empty folder `root`, also with the libraries that programs in the folders `others` need."""
    _skeleton(root)
    _python(root)
    libraries = set(_libraries([Path("/usr/local/bin") / VERSION, *_modules(root / "usr/local"), *others]))
    for library in libraries:
        _copy(library, root)
    _certificates(root)
    for package in {_owner(file) for file in (*libraries, Path("/usr/sbin/update-ca-certificates"))}:
        _notes(package, root)
    subprocess.run(["ldconfig", "-X", "-r", root], check=True)
    shutil.rmtree(root / "var/cache", ignore_errors=True)


def _skeleton(root: Path) -> None:
    """As Debian has it: /lib and the like are links into /usr."""
    for link in ("bin", "lib", "lib64", "sbin"):
        if (Path("/") / link).is_symlink():
            (root / "usr" / link).mkdir(parents=True)
            (root / link).symlink_to(f"usr/{link}")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    shutil.copy("/etc/os-release", root / "etc/os-release")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)


def _python(root: Path) -> None:
    source, target = Path("/usr/local"), root / "usr/local"
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(source / "lib" / VERSION, target / "lib" / VERSION, symlinks=True, ignore=ignore)
    (target / "lib" / VERSION / "site-packages").mkdir()
    for library in (source / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib", follow_symlinks=False)
    (target / "bin").mkdir()
    for name in (VERSION, "python3", "python"):
        shutil.copy2(source / "bin" / name, target / "bin", follow_symlinks=False)


def _modules(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from folder.rglob("*.so")


def _libraries(programs: Iterable[Path]) -> Iterator[Path]:
    """The files outside of /usr/local which these load, the loader among them."""
    for program in programs:
        for module in _modules(program) if program.is_dir() else [program]:
            said = subprocess.run(["ldd", module], capture_output=True, text=True, check=False).stdout
            if "not found" in said:
                raise SystemExit(f"{module} needs a library that is not there:\n{said}")
            found = re.findall(r"(?:=> |^\t)(/\S+) \(0x", said, re.MULTILINE)
            yield from (Path(path) for path in found if not path.startswith(("/usr/local/", "/opt/")))
    (late,) = Path("/usr/lib").glob(f"*/{LOADED_LATE}")
    yield late


def _copy(file: Path, root: Path) -> None:
    """With the file that it may be a link to."""
    target = root / file.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(file, target)


def _certificates(root: Path) -> None:
    """One file, at Debian's place, and where OpenSSL looks."""
    _copy(CERTIFICATES, root)
    looked_for = ssl.get_default_verify_paths().openssl_cafile
    link = root / Path(looked_for).relative_to("/")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(CERTIFICATES)


def _owner(file: Path) -> str:
    """The Debian package that a file is of; packages may still name it without the /usr before it."""
    name = str(file.resolve()).removeprefix("/usr")
    done = subprocess.run(["dpkg-query", "--search", f"*{name}"], capture_output=True, text=True, check=True)
    return done.stdout.partition(":")[0]


def _notes(package: str, root: Path) -> None:
    """Which version it is, where scanners look for it in images without dpkg, and under which licence."""
    folder = root / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["dpkg-query", "--status", package], capture_output=True, text=True, check=True)
    (folder / package).write_text(done.stdout)
    _copy(Path("/usr/share/doc") / package / "copyright", root)


if __name__ == "__main__":
    make(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
