"""What the Kubernetes API answers, and what of it cannot be what it seems: read for `client`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from coder_enterprise.cluster.errors import Conflicted, Gone, KubernetesError


def parsed(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise KubernetesError(0, "UnexpectedAnswer", "the Kubernetes API answered something else than an object")
    return answer


class Page(NamedTuple):
    items: list[dict[str, Any]]
    version: str
    token: str
    """How to go on; "" when it is the last one."""


def page_of(answer: Mapping[str, Any]) -> Page:
    """Of metadata alone, an API server says null where there are no objects."""
    items, metadata = answer.get("items", ""), answer.get("metadata")
    items = [] if items is None else items
    listed = isinstance(items, list) and all(isinstance(item, dict) for item in items)
    if not listed or not isinstance(metadata, dict):
        raise KubernetesError(0, "UnexpectedAnswer", "the Kubernetes API answered something else than a list")
    return Page(items, metadata.get("resourceVersion") or "", metadata.get("continue") or "")


def refusal(status: int, text: str) -> KubernetesError:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    kind = {404: Gone, 409: Conflicted}.get(status, KubernetesError)
    return kind(status, str(answer.get("reason", "")), str(answer.get("message", text[:200])))
