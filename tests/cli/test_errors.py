"""What goes wrong is one line; where in the program, only for who asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from coder_enterprise.cli import diff, screen
from coder_enterprise.cluster import kubeconfig
from coder_enterprise.kinds.group.spec import GroupSpec
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.oncall.errors import CannotDo
from tests.support.command import PROGRAM, command


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(kubeconfig, "access", fail)


def test_a_fault_of_the_program_is_one_line_that_says_how_to_see_more(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyError("spec"))
    result = command("status")
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, "--debug" in line) == (1, True)


def test_with_debug_a_traceback_goes_before_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, CannotDo("no", "try"))
    lines = command("--debug", "status").stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].endswith("status: no (try)")


def test_a_fault_that_no_command_catches_is_one_line_too() -> None:
    script = (
        "import sys; from coder_enterprise.cli import main, plan; plan.show = None; "
        "sys.argv[1:] = ['plan', '--offline', '-f', '/dev/null']; main.main()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, "--debug" in line) == (1, True)


def test_an_interrupted_command_ends_as_shells_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    result = command("status", "--watch")
    assert (result.exit_code, result.stderr) == (130, "coder-enterprise status: interrupted\n")


def test_a_kubeconfig_that_is_not_there_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert command("get", "--kubeconfig", str(tmp_path / "nothing")).exit_code == 2


@pytest.mark.parametrize(
    "text", ["", "{}", "not: [yaml", "apiVersion: v1\nkind: Config\ncurrent-context: nowhere\ncontexts: []\n"]
)
def test_a_kubeconfig_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    broken = tmp_path / "config"
    broken.write_text(text)
    result = command("get", "--kubeconfig", str(broken))
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, line.startswith("coder-enterprise get: ") or "get: " in line) == (1, True)
    assert "--debug" not in line


def test_no_kubeconfig_at_all_is_said_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "nothing")
    monkeypatch.setenv("KUBECONFIG", missing)
    result = command("get")
    assert (result.exit_code, f"there is no file {missing}" in result.stderr) == (1, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    manifest = tmp_path / "group.yaml"
    manifest.write_text("apiVersion: enterprise.coder.com/v1alpha1\nkind: CoderGroup\nmetadata: {name: a}\nspec: {}\n")
    with Path("/dev/full").open("w") as full:
        words = [str(PROGRAM), "plan", "--offline", "-f", str(manifest)]
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, "No space left" in line) == (1, True)


def test_an_output_that_is_closed_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert screen.width() is None


def test_a_spec_that_another_version_wrote_is_said_with_its_field_and_without_its_value() -> None:
    metadata = {"name": "a", "namespace": "b", "uid": "c", "resourceVersion": "1"}
    body = {"metadata": metadata, "spec": {"deploymentRef": "s3cret"}}
    with pytest.raises(CannotDo, match=r"does not understand spec.deploymentRef") as caught:
        diff.understood(GroupSpec, Resource.from_body("CoderGroup", body))
    assert "s3cret" not in str(caught.value)
