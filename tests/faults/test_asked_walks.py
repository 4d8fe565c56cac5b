"""What `make walks` is asked for, and what it says of nonsense."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = "tests/data/walks/two-appearances-at-once.jsonl"


def asked(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.walks", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("SEEDS", "x", "it is a number from 1 to 1000000"),
        ("SEEDS", "0", "it is a number from 1 to 1000000"),
        ("FROM", "-3", "it is a number from 1 to 1000000000"),
        ("STEPS", "0", "it is a number from 1 to 500"),
        ("STEPS", "501", "it is a number from 1 to 500"),
        ("STEPS", "²", "it is a number from 1 to 500"),
        ("WALK", "nonsense", "No such file or directory; walks that failed are in .cache/walks"),
        ("WALK", "tests", "Is a directory; walks that failed are in .cache/walks"),
        ("WALK", "README.md", 'not each of its lines is a step such as ["delete", "red"]'),
        ("WALK", "{made}", "there is no step fly"),
        ("WALK", "{empty}", "there is no step in it"),
    ],
)
def test_nonsense_is_answered_in_one_line(tmp_path: Path, name: str, value: str, why: str) -> None:
    files = {"made": tmp_path / "made", "empty": tmp_path / "empty"}
    files["made"].write_text('["heal"]\n["fly", "away"]\n')
    files["empty"].touch()
    value = value.format_map(files)
    done = asked(**{name: value})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"make walks: {name}={value}: {why}\n")


def test_as_many_seeds_are_walked_as_were_asked_for() -> None:
    done = asked("--collect-only", "-q", SEEDS="3", FROM="700")
    assert re.findall(r"declared\[(\d+)\]", done.stdout) == ["700", "701", "702"]


def test_a_walk_that_was_kept_is_found() -> None:
    done = asked("--collect-only", "-q", WALK=KEPT)
    assert "test_a_walk_that_once_found_a_fault_finds_none[two-appearances-at-once]" in done.stdout
    assert "random" not in done.stdout
