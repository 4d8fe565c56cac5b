"""What Kubernetes lets objects and namespaces be called, in words for who named one otherwise.

Asked by the commands before they ask a cluster, and by the planner, which has none.
"""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAMESPACE: Final = re.compile(rf"(?=.{{1,63}}\Z){_LABEL}")
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_TOLD: Final = 80
"""Characters of it that are told."""


def namespace_fault(text: str) -> str:
    """Why it can be no namespace; "" if it can."""
    rule = (
        "it must consist of lower-case letters, digits and -, at most 63, and begin and end with no -, as team-a does"
    )
    return "" if _NAMESPACE.fullmatch(text) else f"{_told(text)} can be no namespace: {rule}"


def name_fault(text: str) -> str:
    """Why no object can be called so; "" if one can."""
    rule = (
        "it must consist of lower-case letters, digits, - and ., at most 253, and each part between dots begin and end "
        "with no -, as data-1 does"
    )
    return "" if _NAME.fullmatch(text) else f"{_told(text)} can be no name: {rule}"


def _told(text: str) -> str:
    return repr(text if len(text) <= _TOLD else f"{text[:_TOLD]}…") if text else "nothing"
