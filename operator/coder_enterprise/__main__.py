"""`python -m coder_enterprise`: the same as `coder-enterprise`."""

from coder_enterprise.cli.main import main

main()
