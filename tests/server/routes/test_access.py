"""Who may call what: every route of the OpenAPI document is in one of the tables below, and is called.

A new route fails here until it says who may not call it.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx2
import pytest

from coder_enterprise.server.routes.app import Application
from coder_enterprise.server.services import users as users_service
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage import api_keys, users
from coder_enterprise.server.storage.database import Connection, Database
from tests.support.api import PASSWORD, SITE, Body, Client, People, checked, create_group, create_user, refused
from tests.support.licenses import signed
from tests.support.provisioners import upload
from tests.support.proxies import create_proxy
from tests.support.templates import create_private_template

Route = tuple[str, str]

PUBLIC: Final[set[Route]] = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/v2/"),
    ("GET", "/api/v2/buildinfo"),
    ("GET", "/api/v2/updatecheck"),
    ("GET", "/api/v2/entitlements"),
    ("GET", "/api/v2/users/first"),
    ("POST", "/api/v2/users/first"),
    ("POST", "/api/v2/users/login"),
    ("GET", "/api/v2/users/authmethods"),
    ("GET", "/latency-check"),
    ("GET", "/derp/latency-check"),
}
FOR_PROXIES: Final[set[Route]] = {
    ("POST", "/api/v2/workspaceproxies/me/register"),
    ("POST", "/api/v2/workspaceproxies/me/deregister"),
}
"""With the token of a workspace proxy in place of a session."""
FOR_DAEMONS: Final[set[Route]] = {("GET", "/api/v2/provisionerkeys/{provisionerkey}")}
"""With a provisioner key in place of a session: refused in the tests of provisioner keys."""
EVERYBODY: Final[set[Route]] = {
    ("POST", "/api/v2/users/logout"),
    ("GET", "/api/v2/users"),  # a member sees one
    ("GET", "/api/v2/users/roles"),
    ("GET", "/api/v2/templates/examples"),
    ("GET", "/api/v2/organizations"),
    ("GET", "/api/v2/organizations/{organization}"),
    ("GET", "/api/v2/organizations/{organization}/members/roles"),
    ("GET", "/api/v2/experiments"),
    ("GET", "/api/v2/experiments/available"),
    ("GET", "/api/v2/applications/host"),
    ("GET", "/api/v2/deployment/ssh"),
    ("POST", "/api/v2/authcheck"),
    ("POST", "/api/v2/users/validate-password"),
    ("GET", "/api/v2/groups"),  # a member sees their own
    ("GET", "/api/v2/templates"),  # a member sees those they may use
    ("GET", "/api/v2/organizations/{organization}/groups"),  # a member sees their own
    ("GET", "/api/v2/licenses"),  # a member sees none
    ("GET", "/api/v2/appearance"),
    ("GET", "/api/v2/organizations/{organization}/members"),  # a member sees one
    ("GET", "/api/v2/organizations/{organization}/templates"),  # a member sees those they may use
    ("GET", "/api/v2/regions"),
    ("GET", "/api/v2/workspaceproxies"),  # a member sees the primary
    ("GET", "/api/v2/organizations/{organization}/provisionerdaemons"),
    ("GET", "/api/v2/workspaces"),  # a member sees their own
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
    ("GET", "/api/v2/users/{user}/organizations/{organization}"): 400,
    ("PUT", "/api/v2/organizations/{organization}/members/{user}/roles"): 403,
    ("GET", "/api/v2/groups/{group}"): 404,
    ("PATCH", "/api/v2/groups/{group}"): 404,
    ("DELETE", "/api/v2/groups/{group}"): 404,
    ("POST", "/api/v2/organizations/{organization}/groups"): 403,
    ("GET", "/api/v2/organizations/{organization}/groups/{groupName}"): 404,
    ("GET", "/api/v2/scim/v2/Users"): 403,
    ("POST", "/api/v2/scim/v2/Users"): 403,
    ("GET", "/api/v2/scim/v2/Users/{id}"): 403,
    ("PATCH", "/api/v2/scim/v2/Users/{id}"): 403,
    ("POST", "/api/v2/licenses"): 403,
    ("DELETE", "/api/v2/licenses/{id}"): 403,
    ("POST", "/api/v2/licenses/refresh-entitlements"): 403,
    ("PUT", "/api/v2/appearance"): 403,
    ("POST", "/api/v2/organizations/{organization}/members/{user}"): 403,
    ("DELETE", "/api/v2/organizations/{organization}/members/{user}"): 403,
    ("POST", "/api/v2/organizations/{organization}/templates"): 403,
    ("GET", "/api/v2/organizations/{organization}/templates/{name}"): 404,
    ("GET", "/api/v2/templates/{template}"): 404,
    ("PATCH", "/api/v2/templates/{template}"): 404,
    ("DELETE", "/api/v2/templates/{template}"): 404,
    ("GET", "/api/v2/templates/{template}/acl"): 404,
    ("PATCH", "/api/v2/templates/{template}/acl"): 404,
    ("GET", "/api/v2/templates/{template}/acl/available"): 404,
    ("PUT", "/api/v2/users/{user}/profile"): 400,
    ("PUT", "/api/v2/users/{user}/password"): 400,
    ("GET", "/api/v2/users/{user}/roles"): 400,
    ("GET", "/api/v2/users/{user}/quiet-hours"): 400,
    ("PUT", "/api/v2/users/{user}/quiet-hours"): 400,
    ("GET", "/api/v2/users/{user}/gitsshkey"): 400,
    ("PUT", "/api/v2/users/{user}/gitsshkey"): 400,
    ("POST", "/api/v2/users/{user}/keys"): 400,
    ("GET", "/api/v2/users/{user}/keys/{key}"): 400,
    ("DELETE", "/api/v2/users/{user}/keys/{key}"): 400,
    ("POST", "/api/v2/users/{user}/keys/tokens"): 400,
    ("GET", "/api/v2/users/{user}/keys/tokens"): 400,
    ("GET", "/api/v2/users/{user}/keys/tokens/tokenconfig"): 400,
    ("GET", "/api/v2/users/{user}/keys/tokens/{key}"): 400,
    ("DELETE", "/api/v2/users/{user}/keys/tokens/{key}"): 400,
    ("GET", "/api/v2/audit"): 403,
    ("GET", "/api/v2/deployment/config"): 403,
    ("GET", "/api/v2/deployment/stats"): 403,
    ("GET", "/api/v2/organizations/{organization}/provisionerkeys/daemons"): 404,
    ("POST", "/api/v2/workspaceproxies"): 403,
    ("GET", "/api/v2/workspaceproxies/{workspaceproxy}"): 404,
    ("PATCH", "/api/v2/workspaceproxies/{workspaceproxy}"): 404,
    ("DELETE", "/api/v2/workspaceproxies/{workspaceproxy}"): 404,
    ("GET", "/api/v2/replicas"): 404,
    ("GET", "/api/v2/organizations/{organization}/provisionerkeys"): 404,
    ("GET", "/api/v2/organizations/{organization}/provisionerjobs"): 404,
    ("POST", "/api/v2/organizations/{organization}/provisionerkeys"): 403,
    ("DELETE", "/api/v2/organizations/{organization}/provisionerkeys/{key}"): 403,
    ("GET", "/api/v2/files/{file}"): 404,
    ("GET", "/api/v2/workspace-quota/{user}"): 400,
    ("GET", "/api/v2/organizations/{organization}/members/{user}/workspace-quota"): 400,
}
"""With the status that a member without roles gets for somebody else's resource."""
WITH_A_DAEMON: Final[set[Route]] = {
    ("GET", "/api/v2/organizations/{organization}/provisionerdaemons/serve"),
    ("GET", "/api/v2/organizations/{organization}/provisionerjobs/{job}"),
    ("POST", "/api/v2/files"),
    ("POST", "/api/v2/organizations/{organization}/templateversions"),
    ("GET", "/api/v2/templates/{template}/versions"),
    ("PATCH", "/api/v2/templates/{template}/versions"),
    ("GET", "/api/v2/templates/{template}/versions/{name}"),
    ("GET", "/api/v2/organizations/{organization}/templates/{template}/versions/{name}"),
    ("GET", "/api/v2/organizations/{organization}/templates/{template}/versions/{name}/previous"),
    ("GET", "/api/v2/templateversions/{version}"),
    ("PATCH", "/api/v2/templateversions/{version}"),
    ("GET", "/api/v2/templateversions/{version}/rich-parameters"),
    ("GET", "/api/v2/templateversions/{version}/presets"),
    ("GET", "/api/v2/templateversions/{version}/external-auth"),
    ("GET", "/api/v2/templateversions/{version}/variables"),
    ("GET", "/api/v2/templateversions/{version}/logs"),
    ("GET", "/api/v2/templateversions/{version}/resources"),
    ("PATCH", "/api/v2/templateversions/{version}/cancel"),
    ("POST", "/api/v2/templateversions/{version}/dry-run"),
    ("GET", "/api/v2/templateversions/{version}/dry-run/{job}"),
    ("GET", "/api/v2/templateversions/{version}/dry-run/{job}/matched-provisioners"),
    ("GET", "/api/v2/templateversions/{version}/dry-run/{job}/resources"),
    ("GET", "/api/v2/templateversions/{version}/dry-run/{job}/logs"),
    ("PATCH", "/api/v2/templateversions/{version}/dry-run/{job}/cancel"),
    ("POST", "/api/v2/organizations/{organization}/members/{user}/workspaces"),
    ("POST", "/api/v2/users/{user}/workspaces"),
    ("GET", "/api/v2/users/{user}/workspace/{name}"),
    ("GET", "/api/v2/users/{user}/workspace/{name}/builds/{number}"),
    ("GET", "/api/v2/workspaces/{workspace}"),
    ("GET", "/api/v2/workspaces/{workspace}/builds"),
    ("POST", "/api/v2/workspaces/{workspace}/builds"),
    ("PUT", "/api/v2/workspaces/{workspace}/autostart"),
    ("PUT", "/api/v2/workspaces/{workspace}/ttl"),
    ("PUT", "/api/v2/workspaces/{workspace}/dormant"),
    ("GET", "/api/v2/workspacebuilds/{build}"),
    ("GET", "/api/v2/workspacebuilds/{build}/logs"),
    ("GET", "/api/v2/workspacebuilds/{build}/parameters"),
    ("PATCH", "/api/v2/workspacebuilds/{build}/cancel"),
}
"""What needs more than a row to be refused or not: refused in the tests of provisioner daemons and jobs, files,
template versions, dry runs and workspaces."""
BODIES: Final[dict[Route, Body]] = {
    ("POST", "/api/v2/authcheck"): {"checks": {}},
    ("POST", "/api/v2/users/validate-password"): {"password": "another-Horse-8-battery"},
    ("POST", "/api/v2/users"): {"username": "bob", "email": "bob@example.com", "login_type": "none"},
    ("PUT", "/api/v2/users/{user}/roles"): {"roles": ["owner"]},
    ("PUT", "/api/v2/organizations/{organization}/members/{user}/roles"): {"roles": []},
    ("PATCH", "/api/v2/groups/{group}"): {"name": "mine"},
    ("POST", "/api/v2/organizations/{organization}/groups"): {"name": "mine"},
    ("POST", "/api/v2/scim/v2/Users"): {"userName": "bob@example.com"},
    ("PATCH", "/api/v2/scim/v2/Users/{id}"): {"active": False},
    ("POST", "/api/v2/licenses"): {"license": signed(trial=True)},
    ("PUT", "/api/v2/appearance"): {},
    ("POST", "/api/v2/organizations/{organization}/templates"): {"name": "mine"},
    ("PATCH", "/api/v2/templates/{template}"): {"name": "mine"},
    ("PATCH", "/api/v2/templates/{template}/acl"): {},
    ("PUT", "/api/v2/users/{user}/profile"): {"username": "mine"},
    ("PUT", "/api/v2/users/{user}/password"): {"password": "another-Horse-8-battery"},
    ("PUT", "/api/v2/users/{user}/quiet-hours"): {"schedule": "30 2 * * *"},
    ("POST", "/api/v2/users/{user}/keys/tokens"): {"token_name": "mine"},
    ("POST", "/api/v2/workspaceproxies"): {"name": "mine"},
    ("PATCH", "/api/v2/workspaceproxies/{workspaceproxy}"): {"name": "mine"},
    ("POST", "/api/v2/organizations/{organization}/provisionerkeys"): {"name": "mine"},
}
"""Good ones: what is refused is refused for who sends it."""
NEVER_FOUND: Final[Route] = ("GET", "/api/v2/scim/v2/Users/{id}")
"""The contract page documents 404, and nothing else."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With what makes a route be there."""
    return replace(settings, scim_auth_header="a-key")


@pytest.fixture
async def values(owner: Client, services: Services) -> dict[str, str]:
    """What the parameters of paths stand for: things that exist, and are not the member's."""
    group = await create_group(owner, "platform")
    user = await create_user(owner, "ann", login_type="password", password=PASSWORD)
    template = await create_private_template(owner, "platform")
    token = {"token_name": "theirs"}
    checked(await owner.post(f"/users/{user['id']}/keys/tokens", json=token))
    services.entitlements.current.refreshed_at -= timedelta(hours=1)  # they may be refreshed again
    proxy, _ = await create_proxy(owner, "eu")
    checked(await owner.post("/organizations/default/provisionerkeys", json={"name": "theirs"}))
    return {
        "organization": "default",
        "group": group["id"],
        "name": "platform",
        "groupName": "platform",
        "user": user["id"],
        "template": template["id"],
        "key": "theirs",
        "id": "1",
        "workspaceproxy": proxy["id"],
        "file": await upload(owner),
    }


def test_every_route_says_who_may_not_call_it(app: Application) -> None:
    documented = {
        (method.upper(), path) for path, operations in app.description["paths"].items() for method in operations
    }
    assert documented == PUBLIC | FOR_PROXIES | FOR_DAEMONS | EVERYBODY | WITH_A_DAEMON | set(REFUSED_TO_MEMBERS)


@pytest.mark.parametrize("route", sorted(PUBLIC), ids=" ".join)
async def test_a_public_route_needs_no_session(nobody: Client, route: Route) -> None:
    method, path = route
    assert (await nobody.request(method, SITE + path)).status_code != 401


@pytest.mark.parametrize("route", sorted({*FOR_PROXIES, *EVERYBODY, *REFUSED_TO_MEMBERS}), ids=" ".join)
async def test_any_other_route_needs_a_session(nobody: Client, values: dict[str, str], route: Route) -> None:
    method, path = route
    _refused(await nobody.request(method, SITE + _path(path, values), json=BODIES.get(route)), 401)


@pytest.mark.parametrize("route", sorted(EVERYBODY), ids=" ".join)
async def test_some_routes_are_everybodys(member: Client, values: dict[str, str], route: Route) -> None:
    method, path = route
    assert (await member.request(method, SITE + _path(path, values), json=BODIES.get(route))).status_code == 200


@pytest.mark.parametrize(("route", "status"), sorted(REFUSED_TO_MEMBERS.items()), ids=str)
async def test_a_member_is_refused_what_is_not_theirs(
    member: Client, values: dict[str, str], route: Route, status: int
) -> None:
    method, path = route
    _refused(await member.request(method, SITE + _path(path, values), json=BODIES.get(route)), status)


@pytest.mark.parametrize("route", sorted(REFUSED_TO_MEMBERS), ids=" ".join)
async def test_an_owner_is_refused_none_of_it(owner: Client, values: dict[str, str], route: Route) -> None:
    method, path = route
    answer = await owner.request(method, SITE + _path(path, values), json=BODIES.get(route))
    # The user is a member already.
    expected = {400} if route == ("POST", "/api/v2/organizations/{organization}/members/{user}") else {200, 201, 204}
    assert answer.status_code in ({404} if route == NEVER_FOUND else expected)


@pytest.fixture
async def boss(people: People) -> Client:
    """A second owner, whose account changes while requests of theirs are under way."""
    return await people.with_roles("owner")


WITHOUT_A_WRITE: Final[set[Route]] = {
    ("POST", "/api/v2/licenses/refresh-entitlements"),
    ("POST", "/api/v2/authcheck"),
    ("POST", "/api/v2/users/validate-password"),
}
WRITES: Final = sorted(route for route in {*EVERYBODY, *REFUSED_TO_MEMBERS} - WITHOUT_A_WRITE if route[0] != "GET")
"""All but those that write nothing. What needs a daemon goes through the same seam: see below."""


@pytest.mark.parametrize(
    "change",
    [{"status": "suspended"}, {"deleted": True}, {"session": "over"}, {"roles": []}],
    ids=["suspended", "deleted", "signed out", "demoted"],
)
async def test_a_write_asks_who_sends_it_as_they_are_then(
    boss: Client, values: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    boss_id = UUID(boss.user_id)
    write = database.write
    before = await database.read(lambda connection: users.get(connection, boss_id))
    key = await database.read(lambda connection: api_keys.by_id(connection, boss_id, boss.token.partition("-")[0]))
    assert before is not None
    assert key is not None
    was = {field: getattr(before, field) for field in change if field != "session"}

    def happen(connection: Connection) -> None:
        api_keys.remove(connection, key.id) if "session" in change else users.update_fields(connection, boss_id, change)

    def undo(connection: Connection) -> None:
        api_keys.remove(connection, key.id)  # also after a log-out, which anybody may
        api_keys.create(connection, key)
        users.update_fields(connection, boss_id, was | {"updated_at": before.updated_at})

    async def write_after_the_change(work: Any) -> Any:
        happened.append(True)
        await write(happen)
        return await write(work)

    for route in WRITES:
        happened: list[bool] = []
        with monkeypatch.context() as patched:
            patched.setattr(database, "write", write_after_the_change)
            answer = await boss.request(route[0], SITE + _path(route[1], values), json=BODIES.get(route))
        assert happened, f"{route}: nothing was written"
        await write(undo)
        expected = REFUSED_TO_MEMBERS.get(route, 200) if "roles" in change else 401
        assert answer.status_code == expected, f"{route}: {answer.status_code} {answer.text}"


def test_no_service_writes_for_an_actor_past_that_seam() -> None:
    services_folder = Path(users_service.__file__).parent
    past = [
        f"{path.name}:{call.lineno}"
        for path in services_folder.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef)
        and any(argument.arg in ("actor", "caller", "sender") for argument in function.args.args)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "write"
    ]
    assert past == []


def _path(path: str, values: dict[str, str]) -> str:
    """The page calls the users of SCIM, and licences, `id`."""
    return path.format(**values | {"id": values["user"]} if "/scim/" in path else values)


def _refused(answer: httpx2.Response, status: int) -> None:
    """As an envelope, or as SCIM writes it."""
    if answer.headers["Content-Type"] == "application/scim+json":
        assert (answer.status_code, answer.json()["status"]) == (status, str(status))
    else:
        refused(answer, status)
