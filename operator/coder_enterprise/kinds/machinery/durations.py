"""Durations as Kubernetes users write them: `90s`, `5m`, `1h30m`."""

from __future__ import annotations

import re
from typing import Final

PATTERN: Final = r"^([0-9]{1,6}(s|m|h))+$"

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """`1h30m` is 5400.0. The pattern is checked at admission."""
    return float(sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([smh])", text)))
