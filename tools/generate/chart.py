"""What the chart has of the kinds and of its values: called by `python -m tools.generate`.

The table of values is made from the comments in values.yaml: the comment above a key describes it. It goes between two
marks into the chart's README; the rest of that page is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

CHART: Final = Path(__file__).parents[2] / "charts" / "coder-enterprise"
BEGIN: Final = "<!-- Written by `make generate` from values.yaml: begin -->\n"
END: Final = "<!-- end -->\n"
_KEY: Final = re.compile(r"( *)([A-Za-z]\w*):")


def kept(crd: dict[str, Any]) -> dict[str, Any]:
    """As the chart has it. Helm leaves what is in crds/ alone; Argo CD does only for this annotation."""
    return {**crd, "metadata": {**crd["metadata"], "annotations": {"helm.sh/resource-policy": "keep"}}}


class Value(NamedTuple):
    path: tuple[str, ...]
    description: str


def readme() -> dict[Path, str]:
    """The README with the table of today's values."""
    path = CHART / "README.md"
    before, _, rest = path.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    return {path: before + BEGIN + "\n" + _table((CHART / "values.yaml").read_text()) + "\n" + END + after}


def described(text: str) -> Iterator[Value]:
    """Each key that has a comment of its own, with what it says."""
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip().removeprefix("#").strip())
        elif found := _KEY.match(line):
            path[len(found[1]) // 2 :] = [found[2]]
            if comment:
                yield Value(tuple(path), " ".join(comment))
            comment = []
        else:
            comment = []


def _table(text: str) -> str:
    values = yaml.safe_load(text)
    rows = [_row(value, _lookup(values, value.path)) for value in described(text)]
    return "\n".join(["| value | meaning | default |", "|---|---|---|", *rows]) + "\n"


def _row(value: Value, default: Any) -> str:
    name, description = ".".join(value.path), value.description.replace("|", "\\|")
    if isinstance(default, dict) and default and "resources" not in value.path and "labels" not in value.path:
        return f"| **`{name}`** | {description} | |"
    return f"| `{name}` | {description} | `{json.dumps(default)}` |"


def _lookup(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values
