"""What requests to Kubernetes end with, other than an answer. Raised by this room, caught by all that use it."""

from __future__ import annotations


class KubernetesError(Exception):
    """The API server refused a request or did not answer; `status` is 0 without an answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else message)
        self.status = status
        self.reason = reason


class Gone(KubernetesError):
    """404: the object does not exist."""


class Conflicted(KubernetesError):
    """409: the object has changed meanwhile, or exists."""
