"""Random walks: whatever was declared, drifted, broke and died, when it is quiet all is as it is declared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.faults.walks.course import draw
from tests.faults.walks.steps import read, write
from tests.faults.walks.walk import go
from tests.support.faults import fault
from tests.support.kubernetes import Namespace

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / "tests" / "data" / "walks"
"""That have found a fault once."""
FOUND: Final = ROOT / ".cache" / "walks"
LENGTH: Final = int(os.environ.get("WALK_STEPS", "12"))
SEEDS: Final = range(int(os.environ.get("WALK_FROM", "1")), int(os.environ.get("WALK_TO", "1")) + 1)
FILES: Final = [Path(name) for name in os.environ.get("WALK", "").split()] or sorted(KEPT.glob("*.jsonl"))


@fault(
    name="anything, in any order",
    injected=(
        "Random walks of edits, drift, outages of the server, replicas that are killed and ended, rotated, wrong and "
        "missing Secrets, licences that come and go, objects that claim the same, deletions with each policy, and a "
        "CoderDeployment that comes and goes, over all seven kinds."
    ),
    verdict=(
        "When all is repaired, each object says how it stands, Coder has what is declared, nobody else's things were "
        "touched, nothing is there twice or left over, nothing is stuck, and nothing is written any more."
    ),
)
@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_random_walk_all_is_as_it_is_declared(namespace: Namespace, tmp_path: Path, seed: int) -> None:
    steps = draw(seed, LENGTH)
    try:
        go(steps, namespace, tmp_path)
    except AssertionError:
        write(FOUND / f"{seed}.jsonl", steps)
        raise


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_walk_that_once_found_a_fault_finds_none(namespace: Namespace, tmp_path: Path, file: Path) -> None:
    go(read(file), namespace, tmp_path)
