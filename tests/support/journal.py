"""The journal of an operator process, as its log has it."""

from __future__ import annotations

import json
from typing import Any

from tools.operator_process import OperatorProcess

Line = dict[str, Any]


def journal(operator: OperatorProcess, name: str) -> list[Line]:
    """Its entries about objects of that name, the oldest first."""
    lines = (json.loads(line) for line in operator.text().splitlines() if '"changed in Coder"' in line)
    return [line for line in lines if line["object"].endswith(f"/{name}")]


def causes(operator: OperatorProcess, name: str) -> list[str]:
    return [line["cause"] for line in journal(operator, name)]
