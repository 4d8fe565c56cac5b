"""`python -m tools.contract PAGE [--check]`: writes the facts of the contract page to tests/data/contract.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from tools.contract.page import read

ROOT: Final = Path(__file__).parents[2]
FACTS: Final = ROOT / "tests" / "data" / "contract.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.contract", description=__doc__)
    parser.add_argument("page", type=Path, help="the page, a Markdown file")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    text = json.dumps(read(arguments.page.read_text()), indent=1) + "\n"
    if not arguments.check:
        FACTS.parent.mkdir(exist_ok=True)
        FACTS.write_text(text)
        return 0
    if FACTS.read_text() != text:
        print(
            f"{FACTS.relative_to(ROOT)} is not what the page says; run python -m tools.contract PAGE", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
