"""Durations as Kubernetes users write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.kinds.machinery import durations

UNITS = {"s": 1, "m": 60, "h": 3600}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1h1m1s", 3661.0),
        ("30m1h", 5400.0),
        ("0s", 0.0),
        ("1s1s", 2.0),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert durations.seconds(text) == seconds


@given(st.lists(st.tuples(st.integers(0, 999_999), st.sampled_from("smh")), min_size=1, max_size=4))
def test_parts_add_up_in_any_order(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert re.fullmatch(durations.PATTERN, text)
    assert durations.seconds(text) == sum(number * UNITS[unit] for number, unit in parts)


@pytest.mark.parametrize("text", ["", "5", "m", "5d", "-5m", "1.5h", "5 m", "5M", "\u0665m", "1234567s", "5m\n"])
def test_what_is_no_duration_does_not_match(text: str) -> None:
    assert not re.search(durations.PATTERN.replace("$", r"\Z"), text)
