"""What tokens that are narrowed to scopes may do."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from websockets.exceptions import InvalidStatus

from coder_enterprise.server import scopes
from coder_enterprise.server.routes.app import Application
from tests.support.api import SITE, Body, Client, People, checked, create_user, refused
from tests.support.provisioners import Daemon, create_build, create_workspace
from tests.support.provisioners import session_of as headers_of

TOKENS = "/users/me/keys/tokens"
API = "/api/v2/"
SERVE = ("GET", "organizations/{}/provisionerdaemons/serve")
"""Asks for a websocket first: it is refused below."""


async def narrowed(client: Client, people: People, *names: str) -> Client:
    """Logged in as the same user, with a token of these scopes."""
    key = checked(await client.post(TOKENS, json={"scopes": names}))["key"]
    return people.client(key, client.user_id)


def documented(app: Application) -> list[tuple[str, str]]:
    """Routes that need a session, below the API's root, with `{}` for every parameter."""
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", "{}", path.removeprefix(API)))
        for path, operations in app.description["paths"].items()
        for method, operation in operations.items()
        if {"SessionHeader": []} in operation.get("security", ())
    ]


@pytest.mark.parametrize(
    ("sent", "scope", "kept"),
    [
        ({"scope": "all"}, "all", ["coder:all"]),
        ({"scope": "application_connect"}, "application_connect", ["coder:application_connect"]),
        (
            {"scopes": ["template:read", "workspace:*", "template:read"]},
            "",
            ["template:read", "workspace:*"],
        ),
        ({"scopes": ["all"], "scope": "application_connect"}, "all", ["coder:all"]),
    ],
)
async def test_a_token_shows_its_scopes(member: Client, sent: Body, scope: str, kept: Sequence[str]) -> None:
    checked(await member.post(TOKENS, json={**sent, "token_name": "ci"}))
    shown = checked(await member.get(f"{TOKENS}/ci"))
    assert (shown["scope"], shown["scopes"]) == (scope, kept)


async def test_a_token_does_what_its_scopes_say_and_no_more(template: Body, member: Client, people: People) -> None:
    reader = await narrowed(member, people, "template:read")
    assert checked(await reader.get(f"/templates/{template['id']}"))["name"] == "docker"
    body = {"name": "dev", "template_id": template["id"]}
    answer = refused(await reader.post("/users/me/workspaces", json=body), 403)
    assert answer["detail"] == "It needs the scope workspace:create."
    maker = await narrowed(member, people, "coder:workspaces.create")
    workspace = checked(await maker.post("/users/me/workspaces", json=body))
    refused(await maker.post(f"/workspaces/{workspace['id']}/builds", json={"transition": "stop"}), 403)


async def test_scopes_give_nobody_what_they_may_not(owner: Client, member: Client, people: People) -> None:
    user = await create_user(owner, "ann")
    refused(await (await narrowed(member, people, "user:*")).delete(f"/users/{user['id']}"), 403)
    assert (await (await narrowed(owner, people, "user:*")).delete(f"/users/{user['id']}")).status_code == 200


async def test_each_way_to_build_a_workspace_has_its_scope(
    daemon: Daemon, template: Body, member: Client, people: People
) -> None:
    workspace = await create_workspace(member, template, "dev")
    await daemon.complete(await daemon.acquire())
    stopper = await narrowed(member, people, "workspace:stop")
    refused(await stopper.post(f"/workspaces/{workspace['id']}/builds", json={"transition": "delete"}), 403)
    await create_build(stopper, workspace, "stop")


async def test_a_token_makes_no_other_that_may_do_more(member: Client, people: People) -> None:
    maker = await narrowed(member, people, "api_key:create", "template:read")
    for names in (["all"], ["template:*"], ["workspace:read"], []):
        refused(await maker.post(TOKENS, json={"scopes": names}), 403)
    checked(await maker.post(TOKENS, json={"scopes": ["template:read"]}))
    refused(await maker.post("/users/me/keys"), 403)


async def test_a_route_that_asks_for_no_scope_is_closed_to_narrowed_tokens(
    app: Application, owner: Client, people: People
) -> None:
    everything = sorted(scopes.NAMES - {scopes.EVERYTHING})
    widest = await narrowed(owner, people, *everything)
    narrowest = await narrowed(owner, people, "application_connect")
    routes = [route for route in documented(app) if route != SERVE]
    assert len(routes) > 80
    for method, path in routes:
        url = f"{SITE}{API}{path.format(*['x'] * 9)}"
        if scopes.ROUTES.get((method, path)) != scopes.ANY:
            assert (await narrowest.request(method, url)).status_code == 403, (method, path)
        if (method, path) not in scopes.ROUTES:
            assert (await widest.request(method, url)).status_code == 403, (method, path)


def test_every_route_that_asks_for_a_scope_is_there(app: Application) -> None:
    assert set(scopes.ROUTES) - set(documented(app)) == set()


def test_every_scope_that_a_route_asks_for_can_be_had() -> None:
    can_be = frozenset[str]().union(*(scopes.granted([name]) or () for name in scopes.NAMES))
    assert frozenset[str]().union(*scopes.ROUTES.values()) <= can_be


async def test_no_daemon_serves_with_a_narrowed_token(address: str, owner: Client, people: People) -> None:
    client = await narrowed(owner, people, "workspace:*", "template:*")
    with pytest.raises(InvalidStatus) as refusal:
        async with Daemon(address, headers_of(client), name="mine"):
            pass
    assert refusal.value.response.status_code == 403


async def test_an_address_that_looks_like_another_one_opens_nothing(member: Client, people: People) -> None:
    client = await narrowed(member, people, "user:read")
    for path in ("users/me/keys/tokens%3F", "users/me%2Fkeys", "users/me/roles/../keys", "users//keys"):
        assert (await client.get(f"{SITE}{API}{path}")).status_code in {400, 403, 404, 405}
