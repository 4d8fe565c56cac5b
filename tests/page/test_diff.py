"""Differences between spec and Coder, as lines."""

from __future__ import annotations

import pytest

from coder_enterprise.page.diff import differences


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("5", "40", ["-5", "+40"]),
        (None, "ada", ["+ada"]),
        ("bob", None, ["-bob"]),
        ("", "x", ["-", "+x"]),
        (None, None, []),
        ("a\nb\nc", "a\nB\nc", ["a", "-b", "+B", "c"]),
    ],
)
def test_a_change_is_what_goes_and_what_comes(before: str | None, after: str | None, lines: list[str]) -> None:
    values = {name: value for name, value in (("from", before), ("to", after)) if value is not None}
    (found,) = differences([{"path": "spec.name", **values}])
    assert [line.sign + line.text for line in found.lines] == lines


def test_changes_of_one_field_are_together() -> None:
    changes = [{"path": "spec.users", "to": "a"}, {"path": "spec.users", "to": "b"}, {"path": "spec.name", "to": "c"}]
    assert [each.path for each in differences(changes)] == ["spec.users", "spec.name"]


def test_what_an_operator_of_another_version_wrote_is_shown_as_far_as_it_is_there() -> None:
    (found,) = differences([{"from": 5, "to": {"a": 1}}])
    assert [line.text for line in found.lines] == ["5", "{'a': 1}"]
