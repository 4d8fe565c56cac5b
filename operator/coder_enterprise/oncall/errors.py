"""Why a command cannot do what it was asked for, and what to do next. Caught in one place, by the command line."""

from __future__ import annotations

from http import HTTPStatus

from coder_enterprise.cluster.errors import KubernetesError


class CannotDo(Exception):
    """`hint` is the next step; "" where the message says it all."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def hint_for(error: KubernetesError) -> str:
    """The next step after Kubernetes did not do what it was asked for."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return "your credentials are not accepted; `kubectl auth whoami` says more"
    if error.status == HTTPStatus.FORBIDDEN:
        return "ask for that right, or name a namespace that you may look into with --namespace"
    if error.status == 0 and error.reason == "Unreachable":
        return "is it the right context? `kubectl config current-context`"
    return ""
