"""Writes the files that are generated and committed; `--check` only compares."""
