#!/bin/sh
# Writes requirements/*.txt from pyproject.toml: pinned, with hashes, without download addresses.
set -eu
cd "$(dirname "$0")/.."
compile() {
    output=$1
    shift
    "${UV:-.cache/venv/bin/uv}" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header "$@" --output-file "$output"
}
compile requirements/dev.txt --extra server --group dev "$@" pyproject.toml
compile requirements/server.txt --extra server --constraint requirements/dev.txt pyproject.toml
compile requirements/operator.txt --constraint requirements/dev.txt pyproject.toml
# What builds the package, for the image.
echo hatchling | compile requirements/build.txt --constraint requirements/dev.txt -
