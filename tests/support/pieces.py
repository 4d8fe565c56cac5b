"""Bytes that arrive in any pieces, for tests of what reads them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from hypothesis import strategies as st

CUTS: Final = st.lists(st.integers(0, 2**20), max_size=20)
"""Where to cut; for `split`."""


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]
