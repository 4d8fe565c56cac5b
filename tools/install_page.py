"""The commands of the page on installing, as they stand there: for the tests of the page and for `make e2e-node`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "how-to" / "install.md"
_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, list[str]]:
    """The blocks of commands below each heading."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    return {title: _BLOCK.findall(text) for title, text in zip(parts[1::2], parts[2::2], strict=True)}
