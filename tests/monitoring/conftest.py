"""promtool, for the tests of what Prometheus reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.kubernetes import binaries


@pytest.fixture(scope="session")
def promtool() -> Path:
    return binaries.locate(["promtool"])["promtool"]
