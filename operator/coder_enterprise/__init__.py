"""Coder's enterprise settings as Kubernetes objects, and an in-cluster Enterprise API to run them against."""

from importlib.metadata import version

__version__ = version("coder-enterprise")
