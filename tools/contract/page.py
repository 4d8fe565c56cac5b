"""Reads the contract page, a Markdown file, into records: one per endpoint.

Types come from the examples, which show the nesting, and from the tables, which name formats; both are read by their
form alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

Record = dict[str, Any]
Shape = dict[str, Any]

_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_ENDPOINT: Final = re.compile(r"^`(GET|PUT|POST|PATCH|DELETE) (\S+)`$", re.MULTILINE)
_BODY: Final = re.compile(r"^> Body parameter\n+```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANSWER: Final = re.compile(r"^> (\d{3}) Response\n+```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_FORMATS: Final = {
    "uuid": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "email": re.compile(r"[^@\s]+@[^@\s]+"),
    "uri": re.compile(r"https?://\S+"),
}


def read(text: str) -> list[Record]:
    """A record for each endpoint, in the order of the page."""
    parts = _SECTION.split(text)[1:]
    return [_record(title, body) for title, body in zip(parts[::2], parts[1::2], strict=True)]


def _record(title: str, text: str) -> Record:
    endpoint = _ENDPOINT.search(text)
    if endpoint is None:
        raise ValueError(f"{title}: no method and path")
    request, answer = _BODY.search(text), _ANSWER.search(text)
    (status,) = [int(row["Status"]) for row in _table(text, "Status")]
    return {
        "title": title,
        "method": endpoint[1],
        "path": endpoint[2],
        "parameters": [
            {"name": row["Name"], "in": row["In"], "type": row["Type"], "required": row["Required"] == "true"}
            for row in _table(text, "Name", "In")
        ],
        "request": _shape(json.loads(request[1])) if request else None,
        "status": status,
        "response": _shape(json.loads(answer[2])) if answer else None,
        "enums": _enums(text),
    }


def _table(text: str, *head: str) -> Iterator[dict[str, str]]:
    """The rows of the table whose first columns are `head`."""
    columns: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            columns = []
            continue
        cells = [_plain(cell) for cell in line.strip("|").split("|")]
        if not columns:
            columns = cells
        elif tuple(columns[: len(head)]) == head and not set(line) <= set("|- "):
            yield dict(zip(columns, cells, strict=True))


def _plain(cell: str) -> str:
    return _LINK.sub(r"\1", cell).strip().strip("`")


def _enums(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in _table(text, "Property", "Value"):
        found.setdefault(row["Property"], []).append(row["Value"])
    return found


def _shape(example: Any) -> Shape:
    """The type that an example is an example of."""
    if isinstance(example, dict):
        if set(example) == {"property1", "property2"}:
            return {"type": "map", "values": _shape(example["property1"])}
        return {"type": "object", "fields": {name: _shape(value) for name, value in example.items()}}
    if isinstance(example, list):
        return {"type": "array", "items": _shape(example[0])}
    if isinstance(example, str):
        formats = [name for name, form in _FORMATS.items() if form.fullmatch(example)]
        return {"type": "string"} | ({"format": formats[0]} if formats else {})
    names = {bool: "boolean", int: "integer", type(None): "any"}
    return {"type": names[type(example)]}
