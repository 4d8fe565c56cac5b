"""What the commands that stay write to standard error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

PROGRAM = """
import logging, structlog
from coder_enterprise.cli.logs import configure

configure()
ours, library = structlog.get_logger("coder_enterprise.room"), logging.getLogger("library")
ours.debug("a detail")
ours.info("a write", status=201)
library.info("a detail of a library")
library.warning("a warning of a library")
try:
    raise ValueError("a cause")
except ValueError:
    ours.exception("a failure")
print("went on")
"""


def _logged(**streams: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=False, timeout=60, **streams
    )


def test_each_line_is_json_with_its_level_its_logger_and_its_moment() -> None:
    lines = [json.loads(line) for line in _logged(stderr=subprocess.PIPE).stderr.splitlines()]

    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("a write", "info", "coder_enterprise.room"),
        ("a warning of a library", "warning", "library"),
        ("a failure", "error", "coder_enterprise.room"),
    ]
    assert lines[0]["status"] == 201
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_a_failure_is_told_with_its_cause() -> None:
    *_, failure = _logged(stderr=subprocess.PIPE).stderr.splitlines()

    assert "ValueError: a cause" in json.loads(failure)["exception"]


def test_nothing_fails_because_a_line_cannot_be_written() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as nowhere:  # noqa: PTH123 - a file descriptor has no path
        # The exit code may be Python's own, 120: it could not write what was left of a line either.
        assert _logged(stderr=nowhere).stdout == "went on\n"
