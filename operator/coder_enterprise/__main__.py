"""`python -m coder_enterprise`: the same as `coder-enterprise`, which starts here as well."""

import sys

from coder_enterprise.process.start import hand_over, prepare


def main() -> None:
    prepare(sys.argv[1:])
    from coder_enterprise.cli.main import main as run

    hand_over()
    run()


if __name__ == "__main__":
    main()
