"""Documents of JSON, one or several, as Kubernetes reads them.

Called by `planner.documents` for text that begins as JSON does: YAML has most of JSON, and not its pairs of surrogates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, Final, NoReturn

from coder_enterprise.planner.faults import Fault, FaultError, Origin

MAX_DEPTH: Final = 200
_BLANKS: Final = " \t\r\n"


def json_documents(file: str, text: str) -> list[tuple[Origin, Any]] | None:
    """None for what is no JSON. Raises `FaultError` for JSON that is no manifest."""
    try:
        return list(_read(file, text))
    except JSONDecodeError:
        return None
    except _TwiceError as error:
        raise FaultError(
            Fault(Origin(file, _line_of(text, error.key)), f"the key {error.key!r} is there twice")
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or no number at all
        reason = "is nested too deeply" if isinstance(error, RecursionError) else f"is no JSON: {error}"
        raise FaultError(Fault(Origin(file, 1), reason)) from None


class _TwiceError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _read(file: str, text: str) -> Iterator[tuple[Origin, Any]]:
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
    at = _next(text, 0)
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        origin = Origin(file, text.count("\n", 0, at) + 1)
        fault = _unfit(value, MAX_DEPTH)
        if fault:
            raise FaultError(Fault(origin, fault))
        yield origin, value
        at = _next(text, end)


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two that have one name, the first would be dropped without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _line_of(text: str, key: str) -> int:
    """Where the key is there for the second time, as far as that can be told from the text."""
    quoted = json.dumps(key, ensure_ascii=False)
    first = text.find(quoted)
    second = text.find(quoted, first + 1)
    return text.count("\n", 0, max(first, second, 0)) + 1


def _unfit(value: Any, depth: int) -> str:
    """Why no manifest can have it; "" when it can."""
    if isinstance(value, str):
        return (
            ""
            if value.isascii() or _is_text(value)
            else "a text has half of a pair of surrogates, which is no character"
        )
    if not isinstance(value, dict | list):
        return ""
    if not depth:
        return "is nested too deeply"
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return next(filter(None, (_unfit(part, depth - 1) for part in parts)), "")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
