"""A server for each wire profile, which all tests of a module share: each test has names of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.server_process import CoderServer


@pytest.fixture(scope="module", params=["documented", "codersdk"])
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    with CoderServer(profile=request.param) as process:
        yield process
