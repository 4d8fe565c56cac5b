"""Who may call what: every route of the OpenAPI document is in one of the tables below, and is called.

A new route fails here until it says who may not call it.
"""

from __future__ import annotations

from typing import Final

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.api import SITE, Body, Client, create_group, create_user, refused

Route = tuple[str, str]

PUBLIC: Final[set[Route]] = {
    ("GET", "/healthz"),
    ("GET", "/api/v2/"),
    ("GET", "/api/v2/buildinfo"),
    ("GET", "/api/v2/users/first"),
    ("POST", "/api/v2/users/first"),
    ("POST", "/api/v2/users/login"),
}
EVERYBODY: Final[set[Route]] = {
    ("POST", "/api/v2/users/logout"),
    ("GET", "/api/v2/users"),  # a member sees one
    ("GET", "/api/v2/organizations"),
    ("GET", "/api/v2/organizations/{organization}"),
    ("GET", "/api/v2/organizations/{organization}/groups"),  # a member sees their own
}
"""With any session, whatever the roles."""
REFUSED_TO_MEMBERS: Final[dict[Route, int]] = {
    ("POST", "/api/v2/users"): 403,
    ("GET", "/api/v2/users/{user}"): 400,
    ("DELETE", "/api/v2/users/{user}"): 403,
    ("PUT", "/api/v2/users/{user}/status/suspend"): 403,
    ("PUT", "/api/v2/users/{user}/status/activate"): 403,
    ("PUT", "/api/v2/users/{user}/roles"): 403,
    ("GET", "/api/v2/users/{user}/organizations"): 400,
    ("GET", "/api/v2/groups/{group}"): 404,
    ("PATCH", "/api/v2/groups/{group}"): 404,
    ("DELETE", "/api/v2/groups/{group}"): 404,
    ("POST", "/api/v2/organizations/{organization}/groups"): 403,
    ("GET", "/api/v2/organizations/{organization}/groups/{name}"): 404,
    ("GET", "/api/v2/scim/v2/Users"): 403,
    ("POST", "/api/v2/scim/v2/Users"): 403,
    ("GET", "/api/v2/scim/v2/Users/{id}"): 403,
    ("PATCH", "/api/v2/scim/v2/Users/{id}"): 403,
}
"""With the status that a member without roles gets for somebody else's resource."""
BODIES: Final[dict[Route, Body]] = {
    ("POST", "/api/v2/users"): {"username": "bob", "email": "bob@example.com", "login_type": "none"},
    ("PUT", "/api/v2/users/{user}/roles"): {"roles": ["owner"]},
    ("PATCH", "/api/v2/groups/{group}"): {"name": "mine"},
    ("POST", "/api/v2/organizations/{organization}/groups"): {"name": "mine"},
    ("POST", "/api/v2/scim/v2/Users"): {"userName": "bob@example.com"},
    ("PATCH", "/api/v2/scim/v2/Users/{id}"): {"active": False},
}
"""Good ones: what is refused is refused for who sends it."""
NEVER_FOUND: Final[Route] = ("GET", "/api/v2/scim/v2/Users/{id}")
"""The contract page documents 404, and nothing else."""


@pytest.fixture
async def values(owner: Client) -> dict[str, str]:
    """What the parameters of paths stand for: things that exist, and are not the member's."""
    group = await create_group(owner, "platform")
    user = await create_user(owner, "ann")
    return {"organization": "default", "group": group["id"], "name": "platform", "user": user["id"], "id": user["id"]}


def test_every_route_says_who_may_not_call_it(app: FastAPI) -> None:
    documented = {
        (method.upper(), path) for path, operations in app.openapi()["paths"].items() for method in operations
    }
    assert documented == PUBLIC | EVERYBODY | set(REFUSED_TO_MEMBERS)


@pytest.mark.parametrize("route", sorted(PUBLIC), ids=" ".join)
async def test_a_public_route_needs_no_session(nobody: Client, route: Route) -> None:
    method, path = route
    assert (await nobody.request(method, SITE + path)).status_code != 401


@pytest.mark.parametrize("route", sorted({*EVERYBODY, *REFUSED_TO_MEMBERS}), ids=" ".join)
async def test_any_other_route_needs_a_session(nobody: Client, values: dict[str, str], route: Route) -> None:
    method, path = route
    _refused(await nobody.request(method, SITE + path.format(**values), json=BODIES.get(route)), 401)


@pytest.mark.parametrize("route", sorted(EVERYBODY), ids=" ".join)
async def test_some_routes_are_everybodys(member: Client, values: dict[str, str], route: Route) -> None:
    method, path = route
    assert (await member.request(method, SITE + path.format(**values))).status_code == 200


@pytest.mark.parametrize(("route", "status"), sorted(REFUSED_TO_MEMBERS.items()), ids=str)
async def test_a_member_is_refused_what_is_not_theirs(
    member: Client, values: dict[str, str], route: Route, status: int
) -> None:
    method, path = route
    _refused(await member.request(method, SITE + path.format(**values), json=BODIES.get(route)), status)


@pytest.mark.parametrize("route", sorted(REFUSED_TO_MEMBERS), ids=" ".join)
async def test_an_owner_is_refused_none_of_it(owner: Client, values: dict[str, str], route: Route) -> None:
    method, path = route
    answer = await owner.request(method, SITE + path.format(**values), json=BODIES.get(route))
    assert answer.status_code in ({404} if route == NEVER_FOUND else {200, 201})


def _refused(answer: httpx2.Response, status: int) -> None:
    """As an envelope, or as SCIM writes it."""
    if answer.headers["Content-Type"] == "application/scim+json":
        assert (answer.status_code, answer.json()["status"]) == (status, str(status))
    else:
        refused(answer, status)
