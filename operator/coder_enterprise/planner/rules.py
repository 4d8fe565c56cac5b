"""The CEL rules of the CRDs, evaluated here: what the API server would refuse is known without one.

Called by `planner.schemas` with the very rules that the CRDs hold. Google's own runtime of CEL does the work; this
module adds what Kubernetes adds to the language, as far as the rules use it: URLs, and which functions of strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

TRANSITION: Final = re.compile(r"\boldSelf\b")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BAD_HOST: Final = re.compile(r"[ %^`{|}\\/?#@]")


class RuleError(Exception):
    """The rule cannot be evaluated, which the API server counts as a refusal."""


def compares(rule: str) -> bool:
    """Whether the rule speaks of the object as it was before: it says nothing about a new one."""
    return TRANSITION.search(rule) is not None


def holds(rule: str, value: Any, old: Any = None) -> bool:
    """Whether `value` satisfies `rule`. Times in it are `datetime`s. Raises `RuleError`."""
    result = _compiled(rule).eval(data={"self": _native(value), "oldSelf": _native(old)})
    if result.type() != cel.Type.BOOL:
        raise RuleError(str(result.plain_value()))
    return bool(result.plain_value())


@cache
def _compiled(rule: str) -> cel.Expression:
    return _environment().compile(rule)


@cache
def _environment() -> cel.Env:
    return cel.NewEnv(
        variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN},
        extensions=[ext_strings.ExtStrings()],
        functions=[
            _function("isURL", is_url, cel.Type.BOOL),
            _function("url", lambda text: text, cel.Type.STRING),
            _function("getScheme", lambda text: urlsplit(text).scheme, cel.Type.STRING, member=True),
            _function("getHostname", lambda text: urlsplit(text).hostname or "", cel.Type.STRING, member=True),
            _function("getEscapedPath", lambda text: urlsplit(text).path, cel.Type.STRING, member=True),
        ],
    )


def _function(name: str, body: Any, returns: cel.Type, *, member: bool = False) -> cel.FunctionDecl:
    """Of one string. Kubernetes has a type for URLs; here they stay strings."""
    return cel.FunctionDecl(name, [cel.Overload(f"string_{name}", returns, [cel.Type.STRING], member, body)])


def _native(value: Any) -> Any:
    """As the runtime takes it: it knows times only as messages of protobuf."""
    if isinstance(value, datetime):
        from google.protobuf.timestamp_pb2 import Timestamp

        moment = Timestamp()
        moment.FromDatetime(value)
        return moment
    if isinstance(value, Mapping):
        return {key: _native(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_native(item) for item in value]
    return value


def is_url(text: str) -> bool:
    """As Go's `url.ParseRequestURI`, by which Kubernetes judges: an absolute URL, or an absolute path."""
    if _CONTROL.search(text) or not text:
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not parts.scheme and not text.startswith("/"):
        return False
    return not (_BAD_ESCAPE.search(parts.path) or _BAD_HOST.search(unquote(host or "")))
