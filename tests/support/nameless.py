"""A process of a user whom nobody knows, as in a pod: no entry in passwd, no name in the environment, no home."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

NAMES: Final = ("HOME", "LNAME", "LOGNAME", "USER", "USERNAME")
_SITE: Final = """
import pwd

def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = unknown
"""


def make_nameless(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From now on, of every Python that is started; `folder` is where its start finds that out."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITE)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
