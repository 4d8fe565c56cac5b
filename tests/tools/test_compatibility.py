"""The page that says which of Coder's routes the server has."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from coder_enterprise.server.routes.refused import REFUSED
from tools.generate.compatibility import compatibility, todays_routes

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
    assert state_of("GET", "/deployment/config") == "absent"


def test_what_is_refused_is_a_route_of_coder() -> None:
    assert set(REFUSED) <= set(todays_routes())
