"""The site of the documentation is whole: it builds, its links lead somewhere, and each page can be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.site.__main__ import build, not_navigated
from tools.site.links import broken_links


def test_the_site_builds_without_a_fault(tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert build(tmp_path / "workshop", site) == []
    assert 'href="../../SECURITY.html"' in (site / "docs" / "how-to" / "tenants.html").read_text()


@pytest.mark.parametrize("link", ["missing.html", "other.html#missing", "#missing", "folder/missing.yaml"])
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, link: str) -> None:
    (tmp_path / "page.html").write_text(f'<a href="{link}">x</a>')
    (tmp_path / "other.html").write_text("")
    assert broken_links(tmp_path) == [f"page.html: the link {link} leads nowhere"]


@pytest.mark.parametrize("link", ["other.html", "other.html#here", "#top", "folder", "https://example.com/x"])
def test_a_link_that_leads_somewhere_is_none(tmp_path: Path, link: str) -> None:
    (tmp_path / "page.html").write_text(f'<a href="{link}" id="top">x</a>')
    (tmp_path / "other.html").write_text('<h2 id="here">x</h2>')
    (tmp_path / "folder").mkdir()
    assert broken_links(tmp_path) == []


def test_a_page_that_the_navigation_lacks_is_found(tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "c.md"):
        (tmp_path / name).write_text("# Page")
    assert not_navigated(tmp_path, [{"A": "a.md"}, {"More": [{"B": "b.md"}]}]) == ["c.md"]
