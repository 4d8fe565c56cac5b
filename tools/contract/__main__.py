"""`python -m tools.contract PAGE`: writes the facts of the contract page to tests/data/contract.json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from tools.contract.page import read

FACTS: Final = Path(__file__).parents[2] / "tests" / "data" / "contract.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.contract", description=__doc__)
    parser.add_argument("page", type=Path, help="the page, a Markdown file")
    page = parser.parse_args().page
    FACTS.write_text(json.dumps(read(page.read_text()), indent=1) + "\n")


if __name__ == "__main__":
    main()
