"""What Flux and Argo CD have beside their programs is that of the versions that are built, and of no other text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.kubernetes import archives
from tools.kubernetes.archives import locate_crds, pins
from tools.kubernetes.binaries import NotAvailable
from tools.kubernetes.modules import MODULE_OF


@pytest.mark.parametrize("program", ["kustomize-controller", "argocd"])
def test_a_programs_archive_has_the_version_and_checksum_of_the_program(program: str) -> None:
    module = MODULE_OF[program]
    version, checksum = pins()[module.path]
    assert version == module.version
    assert f"{module.path} {version} {checksum}\n" in (module.folder / "go.sum").read_text()


def test_the_sources_of_flux_have_the_version_that_its_controller_knows() -> None:
    source = "github.com/fluxcd/source-controller"
    flux = (MODULE_OF["kustomize-controller"].folder / "go.mod").read_text()
    assert re.findall(rf"{source}/api (\S+)", flux) == [pins()[source][0]]


def test_an_archive_with_another_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pins").write_text(re.sub(r"h1:\S+", "h1:another", archives.PINS.read_text()))
    monkeypatch.setattr(archives, "PINS", tmp_path / "pins")
    with pytest.raises(NotAvailable, match="could not be had: other text"):
        locate_crds("kustomize-controller")
