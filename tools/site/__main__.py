"""`python -m tools.site`: builds the site of the documentation into .cache/site. Called by `make docs`.

Fails for a warning of the generator, for a link that leads nowhere, and for a page that the navigation lacks. How the
site looks and its navigation are in zensical.toml beside this.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from tools.site.links import broken_links
from tools.site.pages import gather

ROOT: Final = Path(__file__).parents[2]
CONFIGURATION: Final = Path(__file__).with_name("zensical.toml")
SITE: Final = ROOT / ".cache" / "site"


def main() -> int:
    faults = build(ROOT / ".cache" / "docs", SITE)
    print("\n".join(faults) if faults else f"The site is in {SITE.relative_to(ROOT)}", file=sys.stderr)
    return 1 if faults else 0


def build(workshop: Path, site: Path) -> list[str]:
    """Builds in one folder, moves what is built to the other, and says what is wrong; both are emptied before."""
    for folder in (workshop, site):
        shutil.rmtree(folder, ignore_errors=True)
    gather(ROOT, workshop / "pages")
    shutil.copyfile(CONFIGURATION, workshop / CONFIGURATION.name)
    zensical = Path(sys.executable).parent / "zensical"
    built = subprocess.run([zensical, "build", "--strict"], cwd=workshop, capture_output=True, text=True, check=False)
    if built.returncode:
        return [built.stdout + built.stderr]
    (workshop / "site").rename(site)
    navigation = tomllib.loads(CONFIGURATION.read_text())["project"]["nav"]
    missing = not_navigated(workshop / "pages", navigation)
    return [*(f"{CONFIGURATION.name}: the navigation lacks {path}" for path in missing), *broken_links(site)]


def not_navigated(pages: Path, navigation: list[Any]) -> list[str]:
    """Pages that nobody would find. Runbooks are listed by their own page."""
    named = set(_named(navigation))
    found = sorted(str(path.relative_to(pages)) for path in pages.rglob("*.md"))
    return [path for path in found if path not in named and not path.startswith("docs/runbooks/")]


def _named(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    inner = entry.values() if isinstance(entry, dict) else entry
    return [name for item in inner for name in _named(item)]


if __name__ == "__main__":
    sys.exit(main())
