"""The page that says which of Coder's routes the server has."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from coder_enterprise.server.routes.refused import REFUSED
from tools.generate.compatibility import RUNS, compatibility, todays_routes

ROOT: Final = Path(__file__).parents[2]


def state_of(method: str, path: str) -> str:
    rows = [line.strip("| ").split(" | ") for line in compatibility().splitlines()]
    (found,) = [row[2] for row in rows if row[:2] == [method, f"`{path}`"]]
    return found


def test_every_route_is_listed_once() -> None:
    routes = todays_routes()
    assert len(set(routes)) == len(routes)


def test_the_page_tells_what_is_served_from_what_is_refused_and_absent() -> None:
    assert state_of("GET", "/groups") == "served"
    assert state_of("GET", "/scim/v2/Users") == "served"
    assert state_of("PUT", "/prebuilds/settings") == "refused (workspace_prebuilds)"
    assert state_of("GET", "/oauth2-provider/apps") == "absent"


def test_what_is_refused_is_a_route_of_coder() -> None:
    assert set(REFUSED) <= set(todays_routes())


def test_each_client_that_was_run_has_a_row_with_the_day_and_what_failed() -> None:
    for run in tomllib.loads(RUNS.read_text())["runs"]:
        row = next(line for line in compatibility().splitlines() if run["ran"] in line)
        assert all(str(run[name]) in row for name in ("client", "version", "date", "profile", "works", "fails"))
