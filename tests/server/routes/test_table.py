from __future__ import annotations

import pytest
from fastapi import APIRouter, Response

from coder_enterprise.server.routes.app import ROUTERS, routes_of
from coder_enterprise.server.routes.table import WEBSOCKET, RouteTable


async def answer() -> Response:
    return Response()


def table(*declared: tuple[str, str]) -> RouteTable:
    """Of routes by method and path."""
    router = APIRouter()
    for method, path in declared:
        if method == WEBSOCKET:
            router.add_api_websocket_route(path, answer)
        else:
            router.add_api_route(path, answer, methods=[method])
    return RouteTable(router.routes)


def found(routes: RouteTable, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    route = routes.find(method, path)
    return (route.path, dict(route.path_params)) if route else None


def test_a_parameter_is_one_segment() -> None:
    routes = table(("GET", "/users/{user}/keys/{key}"))
    assert found(routes, "GET", "/users/ann/keys/k") == ("/users/{user}/keys/{key}", {"user": "ann", "key": "k"})
    assert found(routes, "GET", "/users/ann/keys") is None
    assert found(routes, "GET", "/users/ann/keys/k/more") is None


def test_a_parameter_is_not_empty() -> None:
    assert found(table(("GET", "/users/{user}")), "GET", "/users/") is None


def test_a_literal_segment_comes_before_a_parameter_that_was_declared_first() -> None:
    routes = table(("POST", "/users/{user}"), ("POST", "/users/login"))
    assert found(routes, "POST", "/users/login") == ("/users/login", {})


def test_a_parameter_takes_what_the_literal_segment_has_no_method_for() -> None:
    routes = table(("POST", "/users/login"), ("GET", "/users/{user}"))
    assert found(routes, "GET", "/users/login") == ("/users/{user}", {"user": "login"})


def test_a_parameter_takes_what_the_literal_segment_leads_nowhere_for() -> None:
    routes = table(("GET", "/users/me/key"), ("GET", "/users/{user}/tokens"))
    assert found(routes, "GET", "/users/me/tokens") == ("/users/{user}/tokens", {"user": "me"})


def test_a_path_has_the_methods_of_all_its_routes() -> None:
    routes = table(("POST", "/users/login"), ("GET", "/users/{user}"), (WEBSOCKET, "/users/{user}"))
    assert routes.methods("/users/login") == ["GET", "POST"]
    assert routes.methods("/nowhere") == []


def test_a_websocket_has_a_route_of_its_own() -> None:
    routes = table(("GET", "/logs"), (WEBSOCKET, "/logs"), ("GET", "/other"))
    assert found(routes, WEBSOCKET, "/logs") == ("/logs", {})
    assert found(routes, WEBSOCKET, "/other") is None


def test_two_routes_for_the_same_requests_are_refused() -> None:
    with pytest.raises(TypeError, match=r"the other is /users/\{name\}"):
        table(("GET", "/users/{name}"), ("GET", "/users/{id}"))


def test_every_declared_route_is_found_at_its_own_path() -> None:
    routes = routes_of(*ROUTERS)
    built = RouteTable(routes)
    for route in routes:
        for method in getattr(route, "methods", None) or [WEBSOCKET]:
            assert found(built, method, route.path)[0] == route.path  # type: ignore[attr-defined, index]
