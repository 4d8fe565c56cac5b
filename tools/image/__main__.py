"""`python -m tools.image`: called by `make image`, on Linux with buildah.

Builds the image, tells its size and what it stands on. Exit codes: 0, or 1 when something failed or is missing.
"""

from __future__ import annotations

import argparse
import sys

from tools.commands import StepFailed
from tools.image.build import Built, build
from tools.image.programs import ProgramsMissing
from tools.image.stand_in import NotHere


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("--tag", default="dev")
    parser.add_argument("--offline-base", action="store_true", help="do not ask a registry for the base image")
    parser.add_argument("--install", action="store_true", help="install missing programs (Debian, as root)")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    try:
        built = build(options.tag, offline_base=options.offline_base, install=options.install)
        _tell(built)
    except (ProgramsMissing, NotHere, StepFailed) as error:
        print(f"make image failed: {error}", file=sys.stderr)
        return 1
    return 0


def _tell(built: Built) -> None:
    print(built.archive.report())
    print(f"{built.image} is in {built.archive.path}; its base is {built.base}")


if __name__ == "__main__":
    sys.exit(main())
