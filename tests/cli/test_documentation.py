"""The page of settings names what the server reads, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "settings.md"
COMMAND = ROOT / "operator" / "coder_enterprise" / "cli" / "server.py"


def test_every_setting_of_the_server_is_on_the_page() -> None:
    read = set(re.findall(r'"(CODER_[A-Z_]+)"', COMMAND.read_text()))
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `CODER_")]
    assert read == {name for row in rows for name in re.findall(r"`(CODER_[A-Z_]+)`", row)}
