"""`python -m tools.image`: called by `make image`, on Linux as root with buildah and runc.

Builds the image, looks into it, runs each of its commands as a hardened cluster would, and tells its size, its layers
and what it stands on. Exit codes: 0, or 1 when something is missing, failed or is not as it should be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tools.commands import StepFailed
from tools.image import contents, programs, trial
from tools.image.build import Built, build
from tools.image.programs import ProgramsMissing
from tools.image.stand_in import NotHere


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make image")
    parser.add_argument("--tag", default="dev")
    parser.add_argument("--offline-base", action="store_true", help="do not ask a registry for the base image")
    parser.add_argument("--install", action="store_true", help="install missing programs (Debian, as root)")
    parser.add_argument("--twice", action="store_true", help="build it anew, and compare: it must have the same digest")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    try:
        programs.need(("runc",), install=options.install)
        built = build(options.tag, offline_base=options.offline_base, install=options.install)
        print(built.archive.report())
        print(f"{built.image} is in {built.archive.path}; its base is {built.base}", flush=True)
        problems = _problems(built)
        if options.twice:
            again = build(f"{options.tag}-again", offline_base=options.offline_base, cache=False)
            problems += _differences(built, again)
    except (ProgramsMissing, NotHere, StepFailed) as error:
        print(f"make image failed: {error}", file=sys.stderr)
        return 1
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _problems(built: Built) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="coder-enterprise-image-") as folder:
        return contents.problems(built.archive) + trial.problems(built.archive, Path(folder))


def _differences(first: Built, second: Built) -> list[str]:
    pairs = zip(first.archive.layers, second.archive.layers, strict=True)
    changed = [f"Built twice, it differs: {one.made_by}" for one, other in pairs if one.digest != other.digest]
    if not changed and first.archive.digest != second.archive.digest:
        changed.append("Built twice, its configuration differs.")
    return changed


if __name__ == "__main__":
    sys.exit(main())
