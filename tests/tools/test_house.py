"""The page for who is new names files that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "operator" / "coder_enterprise"
NAMED: Final = re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:/|\.py)?)`", (ROOT / "docs/explanation/house.md").read_text())
ROOMS: Final = ("cli", "client", "cluster", "controller", "kinds", "oncall", "planner", "process", "server", "wire")
PATHS: Final = sorted({name for name in NAMED if name.split("/")[0] in ROOMS})


def test_the_page_names_files() -> None:
    assert len(PATHS) > 50


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_the_page_names_is_there(path: str) -> None:
    assert (SOURCE / path).exists()
