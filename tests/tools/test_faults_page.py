"""The page of faults: what the tests note, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.generate import faults

NOTED = '''"""What breaks.

And more."""

@fault(name="cut | off", injected="A reset " "in between.", verdict="All is well.")
@pytest.mark.slow
async def test_it_is_survived() -> None: ...

def test_without_a_fault() -> None: ...
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tests = tmp_path / "tests"
    for name in ("server", "faults"):
        (tests / name).mkdir(parents=True)
    monkeypatch.setattr(faults, "TESTS", tests)
    return tests


def test_a_test_is_shown_with_its_fault_and_what_its_module_is_about(folder: Path) -> None:
    (folder / "faults" / "test_cuts.py").write_text(NOTED)
    (folder / "server" / "test_other.py").write_text("def test_fault() -> None: ...")
    page = faults.faults()
    assert "## tests/faults/test_cuts.py\n\nWhat breaks.\n\n" in page
    assert "| cut \\| off | A reset in between. | All is well. | it is survived |\n" in page
    assert "without" not in page
    assert "test_other" not in page


def test_those_whose_tests_are_about_nothing_else_come_first(folder: Path) -> None:
    for name in ("faults", "server"):
        (folder / name / "test_cuts.py").write_text(NOTED)
    page = faults.faults()
    assert page.index("tests/faults/") < page.index("tests/server/")


def test_text_that_is_not_there_as_it_stands_is_refused(folder: Path) -> None:
    (folder / "faults" / "test_cuts.py").write_text(NOTED.replace('"cut | off"', "NAME"))
    with pytest.raises(ValueError, match="malformed"):
        faults.faults()
