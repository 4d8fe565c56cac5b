"""Builds the image without Docker, measures it and tries it: `make image`, and what `make e2e-node` runs.

`base` finds what the image stands on, `builder` runs the Dockerfile as it is, `archive` reads what came out.
"""
