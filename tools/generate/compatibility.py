"""docs/reference/compatibility.md: which clients were run against this server, and which of Coder's routes it serves,
refuses, or has not.

Made of the application's own routes and of `coder_routes.txt`, so that neither a new route nor a lost one goes unsaid,
and of the record of runs in `tests/compatibility/data/runs.toml`, which also says what was not run.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fastapi.routing import APIRoute

from coder_enterprise.server.routes import scim
from coder_enterprise.server.routes.app import ROUTERS, routes_of
from coder_enterprise.server.routes.dependencies import API
from coder_enterprise.server.routes.refused import REFUSED
from coder_enterprise.server.routes.refused import router as refusals

LIST: Final = Path(__file__).with_name("coder_routes.txt")
RUNS: Final = Path(__file__).parents[2] / "tests" / "compatibility" / "data" / "runs.toml"
OWN_ROOTS: Final = ("/scim/", "/oauth2/", "/.well-known/")
"""Of paths that are not below /api/v2."""

Route = tuple[str, str]

_PARAMETER: Final = re.compile(r"\{[^}]*\}")
_INTRODUCTION: Final = """\
# Compatibility

Made by `make generate`. Which of the two wire profiles is for whom is told
[with the settings](settings.md#the-wire-profile).

## Clients

Programs that nobody here wrote, unmodified, against this server. What they read was kept as data in
`tests/compatibility/data/`: the statuses and keys that Coder answers, and requests as clients of both generations send
them. Each test run compares both with the server.

{runs}
Not run: {left}.

## Coder itself

This project's client and commands against Coder's own server, unmodified.

{coders}
## Routes

The operations of Coder's Enterprise API page of summer 2026, and those that Coder's Go SDK v2.30.0 and its Terraform
provider call beside them, compared with the server's routes. Coder has further routes, for agents, applications, chats
and insights, which this server has not and which are not listed.

**served**: answered from what this server keeps. **refused**: of a licensed feature that this server has not; it
answers 403 and names the feature, as Coder does without a licence. **absent**: 404, `Route not found.`,
or 405 where the path has other methods.

| method | path | here |
| --- | --- | --- |
"""


def compatibility() -> str:
    """The page."""
    record = tomllib.loads(RUNS.read_text())
    left = "; ".join(f"{entry['client']} ({entry['why']})" for entry in record["left"])
    coders = _table(("version", "date", "ran", "works", "fails"), record["coders"])
    introduction = _INTRODUCTION.format(runs=_runs(record["runs"]), left=left, coders=coders)
    rows = [f"| {method} | `{path}` | {_state((method, path))} |\n" for method, path in todays_routes()]
    return introduction + "".join(rows)


def _runs(record: list[dict[str, Any]]) -> str:
    """The newest first."""
    columns = ("client", "version", "date", "profile", "ran", "works", "fails")
    return _table(columns, sorted(record, key=lambda run: run["date"], reverse=True))


def _table(columns: tuple[str, ...], entries: list[dict[str, Any]]) -> str:
    rows = [columns, ("---",) * len(columns), *([str(entry[column]) for column in columns] for entry in entries)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def todays_routes() -> list[Route]:
    lines = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return [(method, path) for method, path in (line.split() for line in lines)]


def _state(route: Route) -> str:
    if _form(*route) in _SERVED:
        return "served"
    feature = _REFUSED.get(_form(*route))
    return f"refused ({feature})" if feature else "absent"


def _form(method: str, path: str) -> Route:
    """What is the same however parameters are called, and wherever the path is mounted."""
    root = "" if path.startswith((API, *OWN_ROOTS)) else API
    return method, _PARAMETER.sub("{}", root + path)


def _served() -> Iterator[Route]:
    for route in routes_of(*ROUTERS, scim.root):
        if isinstance(route, APIRoute) and route not in refusals.routes:
            yield from (_form(method, route.path) for method in route.methods or ())


_SERVED: Final = frozenset(_served())
_REFUSED: Final = {_form(*route): feature for route, feature in REFUSED.items()}
