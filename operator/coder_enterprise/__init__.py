"""Coder's enterprise settings as Kubernetes objects, and an in-cluster Enterprise API to run them against."""

__version__: str


def __getattr__(name: str) -> str:
    """`__version__` when it is asked for: what finds it takes longer to import than a signal may wait."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("coder-enterprise")
