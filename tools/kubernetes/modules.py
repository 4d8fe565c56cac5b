"""Which programs there are, and the Go modules that pin them: a table for `binaries`, which finds or builds them.

Programs that are released together share a folder with a go.mod and a go.sum, so that versions of one family do not
pull at those of another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
VERSION: Final = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Module:
    """A folder with a go.mod and a go.sum."""

    name: str
    folder: Path
    path: str
    """The Go module whose version the programs have."""
    programs: Mapping[str, str]
    """Each with its package; "." is a program of our own, around that Go module."""
    stamps: Mapping[str, str] = field(default_factory=dict)
    """What the programs are told about their version when they are linked: variables and templates of values."""

    @property
    def version(self) -> str:
        return self._find(rf"{re.escape(self.path)} (v\S+)")

    @property
    def go(self) -> str:
        """The oldest Go that builds it."""
        return self._find(r"go (\S+)")

    @property
    def key(self) -> str:
        """Changes with what is built."""
        files = [self.folder / "go.mod", self.folder / "go.sum", *sorted(self.folder.glob("*.go"))]
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
        return f"{self.name}-{self.version}-{digest[:12]}"

    def linker_flags(self) -> str:
        version = self.version
        major, minor, _ = version.removeprefix("v").split(".")
        values = {"version": version, "number": version.removeprefix("v"), "major": major, "minor": minor}
        stamps = [f"-X {variable}={template.format(**values)}" for variable, template in self.stamps.items()]
        return " ".join(["-s -w", *stamps])

    def _find(self, pattern: str) -> str:
        """From a line of go.mod."""
        match = re.search(rf"^(?:\t|require )?{pattern}(?: // indirect)?$", self._pins, re.MULTILINE)
        if match is None:
            raise ValueError(f"{self.folder}/go.mod has no line like {pattern!r}")
        return match.group(1)

    @property
    def _pins(self) -> str:
        return (self.folder / "go.mod").read_text()


def _module(name: str, path: str, programs: Mapping[str, str], stamps: Mapping[str, str] | None = None) -> Module:
    packages = {program: path + package for program, package in programs.items()}
    return Module(name, HERE / name, path, packages, stamps or {})


# Without the version the server would call itself v0.0.0-master.
KUBERNETES_STAMPS: Final = {
    f"{VERSION}.gitVersion": "{version}",
    f"{VERSION}.gitMajor": "{major}",
    f"{VERSION}.gitMinor": "{minor}",
    f"{VERSION}.gitTreeState": "clean",
}
KUBERNETES: Final = Module(
    "kubernetes",
    HERE,
    "k8s.io/kubernetes",
    {
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kubectl",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
        )
    },
    KUBERNETES_STAMPS,
)
OLDEST_APISERVER: Final = "kube-apiserver-oldest"
OLDEST_KUBERNETES: Final = Module(
    "oldest",
    HERE / "oldest",
    "k8s.io/kubernetes",
    {OLDEST_APISERVER: "k8s.io/kubernetes/cmd/kube-apiserver"},
    KUBERNETES_STAMPS,
)
"""The oldest version that the install page promises."""
MODULES: Final = (
    _module("etcd", "go.etcd.io/etcd/server/v3", {"etcd": ""}),
    KUBERNETES,
    OLDEST_KUBERNETES,
    _module("kwok", "sigs.k8s.io/kwok", {"kwok": "/cmd/kwok"}),
    _module(
        "helm", "helm.sh/helm/v4", {"helm": "/cmd/helm"}, {"helm.sh/helm/v4/internal/version.version": "{version}"}
    ),
    _module("kubeconform", "github.com/yannh/kubeconform", {"kubeconform": "/cmd/kubeconform"}),
    _module("prometheus", "github.com/prometheus/prometheus", {"promtool": "/cmd/promtool"}),
    _module("kind", "sigs.k8s.io/kind", {"kind": ""}),
    Module("redis", HERE / "redis", "github.com/alicebob/miniredis/v2", {"redis": "."}),
    _module("flux", "github.com/fluxcd/kustomize-controller", {"kustomize-controller": ""}),
    _module(
        "argocd",
        "github.com/argoproj/argo-cd/v3",
        {"argocd": "/cmd"},
        {"github.com/argoproj/argo-cd/v3/common.version": "{number}"},
    ),
)
MODULE_OF: Final = {program: module for module in MODULES for program in module.programs}
"""Of each program."""

CONTROL_PLANE: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
OLDEST_CONTROL_PLANE: Final = ("etcd", OLDEST_APISERVER, "kubectl")
NODES: Final = ("kube-scheduler", "kwok")
