"""What `make slow` lists."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.support.slowest import slowest, summed


def report(test: str, when: Literal["setup", "call", "teardown"], seconds: float) -> pytest.TestReport:
    return pytest.TestReport(test, (test, 1, test), {}, "passed", None, when, duration=seconds)


def test_a_test_takes_what_its_fixtures_take_as_well() -> None:
    waits = [report("waits", "setup", 0.1), report("waits", "call", 2.0), report("waits", "teardown", 0.1)]
    prepares = [report("prepares", "setup", 3.0), report("prepares", "call", 0.5), report("prepares", "teardown", 0.5)]
    found = slowest({"": [waits[0], prepares[0]], "passed": [waits[1], prepares[1]], "error": [prepares[2], waits[2]]})
    assert [test for test, _ in found] == ["prepares", "waits"]
    assert found[0][1] == {"setup": 3.0, "call": 0.5, "teardown": 0.5}


def test_a_module_takes_what_its_tests_take() -> None:
    phases = {"setup": 1.0, "call": 2.0, "teardown": 0.5}
    found = summed([("a.py::one", phases), ("b.py::one", phases), ("a.py::two", phases)], lambda test: test[:4])
    assert found == [("a.py", {"setup": 2.0, "call": 4.0, "teardown": 1.0}), ("b.py", phases)]
