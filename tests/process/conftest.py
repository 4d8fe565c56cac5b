"""A user without a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.nameless import make_nameless


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_nameless(monkeypatch, tmp_path / "site")
