"""Values of Secrets as people put them there."""

from __future__ import annotations

import pytest

from coder_enterprise.kinds.machinery.secret_text import one_word, token

TOKEN = "abcdefghij-0123456789abcdefghijkl"


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        f"{TOKEN}\n",
        f"\ufeff{TOKEN}\r\n",
        f"  {TOKEN}\t",
        f'"{TOKEN}"\n',
        f"'{TOKEN}'",
        f"{TOKEN[:20]}\n{TOKEN[20:]}\n",
        f"{TOKEN[:20]}\r\n  {TOKEN[20:]}",
        f"Bearer {TOKEN}",
        f'"bearer  {TOKEN}"',
    ],
)
def test_what_people_put_around_a_token_is_taken_off(value: str) -> None:
    assert token(value) == TOKEN


def test_a_licence_in_lines_is_one_word() -> None:
    assert one_word("aaa.\nbbb.\nccc\n") == "aaa.bbb.ccc"


@pytest.mark.parametrize("value", [f"{TOKEN} extra", 'one"', '"', "Bearer", "a\u00a0b"])
def test_what_may_be_a_mistake_stays(value: str) -> None:
    assert token(value) == value
