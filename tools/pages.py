"""The commands of a page, as they stand there: for the tests of the pages and for `make e2e-node`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[1] / "docs"
INSTALL: Final = DOCS / "how-to" / "install.md"
TUTORIAL: Final = DOCS / "tutorial.md"
_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections(page: Path) -> dict[str, list[str]]:
    """The blocks of commands below each heading."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return {title: _BLOCK.findall(text) for title, text in zip(parts[1::2], parts[2::2], strict=True)}
