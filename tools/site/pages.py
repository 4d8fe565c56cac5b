"""Gathers what the site shows: the repository's pages and what they link to, each where it is in the repository.

So a link of a page leads to the same place on GitHub, in an editor and on the site. Called by `tools.site`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

FOLDERS: Final = ("docs", "deploy", "charts/coder-enterprise")
FILES: Final = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")
LISTED: Final = ("deploy/examples", "docs/runbooks")
"""Folders that pages link to. They have no page in the repository, where GitHub and editors list them."""


def gather(root: Path, pages: Path) -> None:
    """`pages` is not there yet."""
    for folder in FOLDERS:
        shutil.copytree(root / folder, pages / folder)
    for file in FILES:
        shutil.copyfile(root / file, pages / file)
    for folder in LISTED:
        (pages / folder / "README.md").write_text(_list_of(pages / folder))


def _list_of(folder: Path) -> str:
    lines = [f"- [{path.stem}]({path.name})" for path in sorted(folder.iterdir()) if path.name != "README.md"]
    return "\n".join([f"# {folder.name.capitalize()}", "", *lines, ""])
