"""Finds links of a built site that lead nowhere: files that are not there, and places that a page does not have.

Called by `tools.site`. Links to other sites are not followed.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from typing_extensions import override

TARGETS: Final = frozenset({"href", "src"})
NOT_A_PAGE: Final = "404.html"
"""Its links are absolute, since it is shown anywhere."""


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in TARGETS:
                self.links.add(value)
            elif value and name in ("id", "name"):
                self.places.add(value)


def broken_links(site: Path) -> list[str]:
    """A sentence each."""
    pages = {path.resolve(): _Page(path.read_text()) for path in site.rglob("*.html") if path.name != NOT_A_PAGE}
    return [
        f"{path.relative_to(site.resolve())}: the link {link} leads nowhere"
        for path, page in sorted(pages.items())
        for link in sorted(page.links)
        if _is_broken(path, link, pages)
    ]


def _is_broken(page: Path, link: str, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir() and (target / "index.html").exists():
        target /= "index.html"
    if not target.is_file() and not target.is_dir():
        return True
    return bool(parts.fragment) and target in pages and unquote(parts.fragment) not in pages[target].places
