"""What a Tab offers: kinds, names and namespaces of the cluster, and nothing where it cannot be asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from coder_enterprise.cli import completion
from tests.support.kubernetes import Namespace
from tests.support.manifests import group


def tab(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """What kubectl is answered."""
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-coder", *words])
    for name in ("_CODER_ENTERPRISE_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        monkeypatch.setenv(name, "")
    completion.kubectl()
    offered = capsys.readouterr().out.splitlines()
    assert offered.pop() == ":4"
    return offered


def test_commands_are_offered_without_a_cluster(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tab(capsys, monkeypatch, "reco") == ["reconcile"]


def test_kinds_then_names_are_offered(
    namespace: Namespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace.apply(group("platform"), group("other"))
    where = ("--kubeconfig", str(namespace.plane.kubeconfig), "--namespace", namespace.name)
    assert tab(capsys, monkeypatch, "suspend", *where, "coderg") == ["codergroup/"]
    assert tab(capsys, monkeypatch, "suspend", *where, "codergrp/pl") == ["codergrp/platform"]
    assert tab(capsys, monkeypatch, "get", *where, "coderu") == ["coderuser"]


def test_namespaces_and_reasons_are_offered(
    namespace: Namespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--kubeconfig", str(namespace.plane.kubeconfig))
    assert "kube-system" in tab(capsys, monkeypatch, "get", *where, "--namespace", "kube-s")
    assert tab(capsys, monkeypatch, "get", "--reason", "Confl") == ["Conflict"]


def test_nothing_is_offered_where_no_cluster_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "config"
    broken.write_text("{}")
    assert tab(capsys, monkeypatch, "suspend", "--kubeconfig", str(broken), "coderg") == []
