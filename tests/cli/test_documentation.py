"""The pages of settings and of commands name what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from coder_enterprise.cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "settings.md"
COMMAND = ROOT / "operator" / "coder_enterprise" / "cli" / "server.py"


def test_every_setting_of_the_server_is_on_the_page() -> None:
    read = set(re.findall(r'"(CODER_[A-Z_]+)"', COMMAND.read_text()))
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `CODER_")]
    assert read == {name for row in rows for name in re.findall(r"`(CODER_[A-Z_]+)`", row)}


def test_every_command_is_on_the_page() -> None:
    tables = (ROOT / "docs" / "reference" / "commands.md").read_text().partition("## Exit codes")[0]
    cells = [line.split(" | ")[0] for line in tables.splitlines() if line.startswith("| `")]
    told = {name for cell in cells for name in re.findall(r"`([a-z][a-z-]*)", cell)}
    commands = {command.name for command in app.registered_commands if not command.hidden}
    assert told == commands | {group.name for group in app.registered_groups}
