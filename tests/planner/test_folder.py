"""An export follows Coder in what nobody has edited, and keeps what a person has written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from coder_enterprise.planner import folder as planner_folder
from coder_enterprise.planner.folder import RECORD, UNFINISHED, Changes, FolderError, claimed, compare, exported, write

FIRST = {"a/one.yaml": "one\n", "a/two.yaml": "two\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a first export in it."""
    write(tmp_path, FIRST, compare(tmp_path, FIRST))
    return tmp_path


def again(folder: Path, files: dict[str, str], *, force: bool = False) -> Changes:
    changes = compare(folder, files)
    write(folder, files, changes, force=force)
    return changes


def test_the_files_are_there(folder: Path) -> None:
    assert {path: (folder / path).read_text() for path in FIRST} == FIRST
    assert exported(folder) == frozenset(FIRST)


def test_an_export_of_the_same_changes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert again(folder, FIRST).unchanged == 2
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_has_changed_in_coder_is_written_anew(folder: Path) -> None:
    assert list(again(folder, FIRST | {"a/two.yaml": "new\n"}).write) == ["a/two.yaml"]
    assert (folder / "a/two.yaml").read_text() == "new\n"


def test_what_is_gone_from_coder_is_removed(folder: Path) -> None:
    assert again(folder, {"a/one.yaml": "one\n"}).remove == ["a/two.yaml"]
    assert not (folder / "a/two.yaml").exists()


def test_what_was_not_asked_for_stays(folder: Path) -> None:
    files = {"b/three.yaml": "three\n"}
    write(folder, files, compare(folder, files, FIRST))
    assert exported(folder) == {*FIRST, *files}
    assert (folder / "a/two.yaml").exists()


def test_an_edit_is_kept_while_coder_does_not_change(folder: Path) -> None:
    (folder / "a/one.yaml").write_text("mine\n")
    assert again(folder, FIRST).kept == ["a/one.yaml"]
    assert again(folder, FIRST).kept == ["a/one.yaml"]
    assert (folder / "a/one.yaml").read_text() == "mine\n"


@pytest.mark.parametrize("files", [FIRST | {"a/one.yaml": "new\n"}, {"a/two.yaml": "two\n"}], ids=["changed", "gone"])
def test_an_edit_of_what_has_changed_in_coder_is_a_conflict(folder: Path, files: dict[str, str]) -> None:
    (folder / "a/one.yaml").write_text("mine\n")
    assert again(folder, files).conflicts == ["a/one.yaml"]
    assert (folder / "a/one.yaml").read_text() == "mine\n"
    assert again(folder, files).conflicts == ["a/one.yaml"]


def test_force_writes_over_edits(folder: Path) -> None:
    (folder / "a/one.yaml").write_text("mine\n")
    again(folder, FIRST, force=True)
    assert (folder / "a/one.yaml").read_text() == "one\n"
    assert again(folder, FIRST).unchanged == 2


def test_a_file_that_no_export_has_written_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one.yaml").write_text("mine\n")
    assert compare(tmp_path, FIRST).conflicts == ["a/one.yaml"]


def test_an_interrupted_export_is_repeated_as_if_nothing_had_been(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"a/one.yaml": "1\n", "a/two.yaml": "2\n"}
    replace = Path.replace

    def ends(path: Path, target: Path) -> Path:
        if target.name == "two.yaml":
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", ends)
    with pytest.raises(KeyboardInterrupt):
        again(folder, files)
    assert (folder / "a/two.yaml").read_text() == "two\n"
    assert [path.name for path in (folder / "a").iterdir() if path.name.startswith(".")] == []
    monkeypatch.undo()
    assert not again(folder, files).conflicts
    assert {path: (folder / path).read_text() for path in files} == files


@pytest.mark.parametrize("record", ["{", "[]", '{"layout": 1}', '{"layout": 1, "files": 3}'])
def test_a_broken_record_is_named(folder: Path, record: str) -> None:
    (folder / RECORD).write_text(record)
    with pytest.raises(FolderError, match="is not what an export wrote there"):
        compare(folder, FIRST)


def test_a_record_leads_nowhere_else(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.write_text("two\n")
    text = (folder / RECORD).read_text().replace("a/two.yaml", "../outside")
    (folder / RECORD).write_text(text)
    again(folder, {"a/one.yaml": "one\n"})
    assert outside.exists()


def test_a_record_of_what_no_file_can_be_called_is_left_alone(folder: Path) -> None:
    (folder / RECORD).write_text((folder / RECORD).read_text().replace("a/two.yaml", "a/\\u0000"))
    assert again(folder, {"a/one.yaml": "one\n"}).remove == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="file"):
        again(tmp_path / "file", FIRST)


def test_what_an_interrupted_export_has_written_is_nobodys_edit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = planner_folder._put

    def interrupted(path: Path, text: str) -> None:
        if path.name == "two.yaml":
            raise KeyboardInterrupt
        put(path, text)

    monkeypatch.setattr(planner_folder, "_put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again(folder, dict.fromkeys(FIRST, "2"))
    monkeypatch.undo()
    changes = compare(folder, dict.fromkeys(FIRST, "3"))
    assert (list(changes.write), changes.conflicts) == (list(FIRST), [])


def test_nothing_is_written_through_a_link_that_leads_elsewhere(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "coder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "a").symlink_to(elsewhere)
    with pytest.raises(FolderError, match="leads out of"):
        compare(folder, FIRST)
    assert not any(elsewhere.iterdir())


def test_a_folder_that_is_a_link_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "coder").symlink_to(tmp_path / "real")
    write(tmp_path / "coder", FIRST, compare(tmp_path / "coder", FIRST))
    assert compare(tmp_path / "real", FIRST).unchanged == len(FIRST)


@pytest.mark.parametrize("name", [RECORD, "kustomization.yaml"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(FolderError, match="is no file"):
        compare(tmp_path, {"kustomization.yaml": "a"})


def test_two_exports_do_not_write_at_the_same_time(tmp_path: Path) -> None:
    with (
        claimed(tmp_path / "coder"),
        pytest.raises(FolderError, match="another export is writing there"),
        claimed(tmp_path / "coder"),
    ):
        pass
    with claimed(tmp_path / "coder"):
        assert (tmp_path / "coder").is_dir()


def test_what_a_killed_export_has_left_goes_with_the_next_one(folder: Path) -> None:
    (folder / "a" / UNFINISHED).symlink_to(folder / "elsewhere")
    again(folder, {"a/one.yaml": "other\n"})
    assert [path.name for path in (folder / "a").iterdir()] == ["one.yaml"]
    assert not (folder / "elsewhere").exists()


def test_an_interruption_while_a_file_is_made_leaves_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def ends(path: Path, *arguments: Any, **named: Any) -> Any:
        file = opened(path, *arguments, **named)
        if "x" not in arguments:
            return file
        file.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "open", ends)
    changes = compare(folder, {"b/new.yaml": "new\n", **FIRST})
    with pytest.raises(KeyboardInterrupt):
        write(folder, {"b/new.yaml": "new\n", **FIRST}, changes)
    assert not any((folder / "b").iterdir())
