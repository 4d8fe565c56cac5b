"""Programs from the release archives of their projects, where those can be reached: called by `binaries` before it
builds.

What is taken is verified by the checksum that is published beside it. A host that does not answer within seconds is not
asked again by this process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit

from tools.kubernetes.modules import KUBERNETES, MODULE_OF, OLDEST_APISERVER, OLDEST_KUBERNETES

PATIENCE: Final = 3.0
"""Seconds for a host to connect and answer with a checksum."""
TIMEOUT: Final = 30.0
"""Seconds between two pieces of a download."""
BINARIES: Final = "https://dl.k8s.io"
ETCD: Final = "https://github.com/etcd-io/etcd/releases/download"
ENVTEST: Final = "https://github.com/kubernetes-sigs/controller-tools/releases/download"
IN_ENVTEST: Final = ("etcd", "kube-apiserver", "kubectl")

_silent: set[str] = set()
"""Hosts that did not answer."""


class NotTaken(Exception):
    """No release could be had; the message says why."""


@dataclass(frozen=True)
class Release:
    """A program, or an archive in which it is."""

    url: str
    checksum_url: str
    algorithm: str = "sha256"
    member: str = ""
    """The program's path in the archive."""


def take(name: str, folder: Path) -> tuple[Path, str]:
    """The program in `folder`, and the URL that it came from. Raises `NotTaken`."""
    reasons = []
    for release in releases(name):
        try:
            return _take(release, folder / name), release.url
        except (OSError, tarfile.TarError, KeyError) as error:
            reasons.append(f"{release.url}: {error}")
    raise NotTaken("; ".join(reasons) or "it is not released as a program")


def releases(name: str) -> Iterator[Release]:
    """Where it may be had, the best first."""
    uname = os.uname()
    system = uname.sysname.lower()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(uname.machine, uname.machine)
    module = MODULE_OF[name]
    if module in (KUBERNETES, OLDEST_KUBERNETES):
        program = "kube-apiserver" if name == OLDEST_APISERVER else name
        url = f"{BINARIES}/{module.version}/bin/{system}/{machine}/{program}"
        yield Release(url, f"{url}.sha256")
    if name == "etcd":
        folder = f"etcd-{module.version}-{system}-{machine}"
        url = f"{ETCD}/{module.version}"
        yield Release(f"{url}/{folder}.tar.gz", f"{url}/SHA256SUMS", member=f"{folder}/etcd")
    if name in IN_ENVTEST:
        release = f"envtest-{KUBERNETES.version}"
        url = f"{ENVTEST}/{release}/{release}-{system}-{machine}.tar.gz"
        yield Release(url, f"{url}.sha512", "sha512", f"controller-tools/envtest/{name}")


def _take(release: Release, target: Path) -> Path:
    expected = _checksum(release)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        file = Path(scratch) / "release"
        with urllib.request.urlopen(release.url, timeout=TIMEOUT) as answer, file.open("wb") as copy:
            shutil.copyfileobj(answer, copy)
        with file.open("rb") as content:
            if hashlib.file_digest(content, release.algorithm).hexdigest() != expected:
                raise OSError("its checksum is wrong")
        if release.member:
            file = _extract(file, release.member, Path(scratch) / "program")
        file.chmod(0o755)
        file.replace(target)
    return target


def _checksum(release: Release) -> str:
    """As published: alone, or in a list of several files."""
    host = urlsplit(release.checksum_url).netloc
    if host in _silent:
        raise OSError(f"{host} did not answer")
    try:
        with urllib.request.urlopen(release.checksum_url, timeout=PATIENCE) as answer:
            text: str = answer.read(1 << 20).decode()
    except HTTPError as error:
        error.close()
        raise
    except OSError:
        _silent.add(host)
        raise
    lines = [line.split() for line in text.splitlines() if line.strip()]
    name = release.url.rpartition("/")[2]
    for checksum, *names in lines:
        if not names or names[0].lstrip("*") == name:
            return checksum
    raise OSError(f"no checksum of {name} is published")


def _extract(archive: Path, member: str, target: Path) -> Path:
    with tarfile.open(archive) as tar:
        source: IO[bytes] | None = tar.extractfile(member)
        if source is None:
            raise KeyError(f"the archive has no {member}")
        with target.open("wb") as file:
            shutil.copyfileobj(source, file)
    return target
