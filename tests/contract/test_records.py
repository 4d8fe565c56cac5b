"""Every record of the contract page against a real server, in both profiles.

Method and path come from the record; a record without a function in `CALLS` fails.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.contract import Record, differences, key, records
from tools.server_process import CoderServer, license_for_tests
from tools.wsproxy_process import WorkspaceProxyProcess

Body = dict[str, Any]
Call = Callable[["World", Record], httpx2.Response]

USER_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
ORGANIZATION: Final = "default"
numbers: Final = itertools.count(1)


class World:
    """A server with two users, a group, a template that both may use, branding, a proxy that runs, and a licence."""

    def __init__(self, server: CoderServer, stack: contextlib.ExitStack, logs: Path) -> None:
        self.server = server
        headers = {"Coder-Session-Token": server.token}
        self.http = stack.enter_context(httpx2.Client(base_url=f"{server.url}/api/v2", headers=headers, timeout=30))
        self.user = self.made("/users", **_person("ann"))
        self.group = self.made_group("platform", members=[self.user["id"]])
        self.template = self.made(f"/organizations/{ORGANIZATION}/templates", name="docker")
        roles = {"user_perms": {self.user["id"]: "admin"}, "group_perms": {self.group["id"]: "use"}}
        self.checked("PATCH", f"/templates/{self.template['id']}/acl", json=roles)
        self.checked("PUT", "/appearance", json=APPEARANCE)
        self.checked("PUT", "/users/me/quiet-hours", json={"schedule": "CRON_TZ=Europe/Berlin 30 2 * * *"})
        self.proxy, token = self.made_proxy("eu")
        stack.enter_context(WorkspaceProxyProcess(server.url, token, logs / "wsproxy.log"))

    def ask(self, record: Record, json: Body | None = None, **parameters: str) -> httpx2.Response:
        return self.http.request(record["method"], record["path"].format(**parameters), json=json)

    def checked(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        answer = self.http.request(method, path, **arguments)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer

    def made(self, path: str, **fields: Any) -> Body:
        body: Body = self.checked("POST", path, json=fields).json()
        return body

    def made_group(self, name: str, members: list[str]) -> Body:
        group = self.made(f"/organizations/{ORGANIZATION}/groups", name=name, avatar_url="/icon/a.png")
        self.checked("PATCH", f"/groups/{group['id']}", json={"add_users": members})
        return group

    def made_proxy(self, name: str) -> tuple[Body, str]:
        """The proxy and its token, in either profile."""
        answer = self.checked("POST", "/workspaceproxies", json=_proxy(name))
        body = answer.json()
        if "proxy" in body:
            return body["proxy"], body["proxy_token"]
        return body, answer.headers["Coder-Workspace-Proxy-Token"]

    @contextlib.contextmanager
    def daemon(self, path: str) -> Iterator[ClientConnection]:
        """A provisioner daemon, as far as its connection."""
        url = f"{self.server.url}/api/v2{path.format(organization=ORGANIZATION)}".replace("http:", "ws:")
        headers = {"Coder-Session-Token": self.server.token}
        with connect(f"{url}?provisioner=echo&tag=scope=organization", additional_headers=headers) as connection:
            yield connection


APPEARANCE: Final = {
    "application_name": "Acme",
    "logo_url": "https://acme.example/logo.png",
    "service_banner": {"enabled": True, "message": "Maintenance on Sunday", "background_color": "#004852"},
}


def _person(name: str) -> Body:
    return {"username": name, "email": f"{name}@example.com", "login_type": "none", "user_status": "active"}


def _scim_person(name: str) -> Body:
    return {
        "schemas": [USER_SCHEMA],
        "userName": name,
        "name": {"givenName": "Ben", "familyName": "Brown"},
        "emails": [{"value": f"{name}@example.com", "primary": True, "type": "work", "display": "Work"}],
        "active": True,
    }


def _proxy(name: str) -> Body:
    return {"name": name, "display_name": "Europe", "icon": "/emojis/1f30d.png"}


def _new(word: str) -> str:
    return f"{word}-{next(numbers)}"


# The calls


def plain(world: World, record: Record) -> httpx2.Response:
    return world.ask(record)


def about_the_organization(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, organization=ORGANIZATION)


def about_the_user(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, user=world.user["id"])


def about_the_template(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, template=world.template["id"])


def about_the_proxy(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, workspaceproxy=world.proxy["id"])


def put_appearance(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, APPEARANCE)


def get_group(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, group=world.group["id"])


def patch_group(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, {"display_name": "Platform", "quota_allowance": 4}, group=world.group["id"])


def delete_group(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, group=world.made_group(_new("gone"), members=[world.user["id"]])["id"])


def create_group(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, {"name": _new("new")}, organization=ORGANIZATION)


def get_group_by_name(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, organization=ORGANIZATION, groupName="platform")


def delete_license(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, id=str(world.made("/licenses", license=license_for_tests())["id"]))


def list_daemons(world: World, record: Record) -> httpx2.Response:
    with world.daemon(f"{record['path']}/serve"):
        return about_the_organization(world, record)


def serve(world: World, record: Record) -> httpx2.Response:
    with world.daemon(record["path"]) as connection:
        assert connection.response is not None
        return httpx2.Response(connection.response.status_code)


def create_scim_user(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, _scim_person(_new("ben")))


def get_scim_user(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, id=world.user["id"])


def patch_scim_user(world: World, record: Record) -> httpx2.Response:
    person = _scim_person(_new("ben"))
    made = world.checked("POST", "/scim/v2/Users", json=person).json()
    return world.ask(record, person | {"active": False}, id=made["id"])


def patch_acl(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, {"user_perms": {world.user["id"]: "admin"}}, template=world.template["id"])


def put_quiet_hours(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, {"schedule": "CRON_TZ=America/New_York 0 3 * * *"}, user=world.user["id"])


def create_proxy(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, _proxy(_new("us")))


def delete_proxy(world: World, record: Record) -> httpx2.Response:
    return world.ask(record, workspaceproxy=world.made_proxy(_new("gone"))[0]["id"])


def patch_proxy(world: World, record: Record) -> httpx2.Response:
    made, _ = world.made_proxy(_new("asia"))
    change = {"id": made["id"], "name": made["name"], "display_name": "Asia", "icon": "/a.png"}
    return world.ask(record, change | {"regenerate_token": True}, workspaceproxy=made["id"])


CALLS: Final[Mapping[str, Call]] = {
    "GET /appearance": plain,
    "PUT /appearance": put_appearance,
    "GET /entitlements": plain,
    "GET /groups/{group}": get_group,
    "DELETE /groups/{group}": delete_group,
    "PATCH /groups/{group}": patch_group,
    "GET /licenses": plain,
    "DELETE /licenses/{id}": delete_license,
    "GET /organizations/{organization}/groups": about_the_organization,
    "POST /organizations/{organization}/groups": create_group,
    "GET /organizations/{organization}/groups/{groupName}": get_group_by_name,
    "GET /organizations/{organization}/provisionerdaemons": list_daemons,
    "GET /organizations/{organization}/provisionerdaemons/serve": serve,
    "GET /replicas": plain,
    "GET /scim/v2/Users": plain,
    "POST /scim/v2/Users": create_scim_user,
    "GET /scim/v2/Users/{id}": get_scim_user,
    "PATCH /scim/v2/Users/{id}": patch_scim_user,
    "GET /templates/{template}/acl": about_the_template,
    "PATCH /templates/{template}/acl": patch_acl,
    "GET /templates/{template}/acl/available": about_the_template,
    "GET /users/{user}/quiet-hours": about_the_user,
    "PUT /users/{user}/quiet-hours": put_quiet_hours,
    "GET /workspace-quota/{user}": about_the_user,
    "GET /workspaceproxies": plain,
    "POST /workspaceproxies": create_proxy,
    "GET /workspaceproxies/{workspaceproxy}": about_the_proxy,
    "DELETE /workspaceproxies/{workspaceproxy}": delete_proxy,
    "PATCH /workspaceproxies/{workspaceproxy}": patch_proxy,
}

DONE: Final = frozenset({"message"})
QUIET_HOURS: Final = frozenset({"raw_schedule", "user_set", "user_can_set", "time", "timezone", "next"})
WITH_TOKEN: Final = frozenset({"proxy", "proxy_token"})
REAL: Final[Mapping[str, frozenset[str]]] = {
    "DELETE /groups/{group}": DONE,
    "GET /templates/{template}/acl": frozenset({"users", "group"}),
    "PATCH /templates/{template}/acl": DONE,
    "GET /templates/{template}/acl/available": frozenset({"users", "groups"}),
    "GET /users/{user}/quiet-hours": QUIET_HOURS,
    "PUT /users/{user}/quiet-hours": QUIET_HOURS,
    "GET /workspaceproxies": frozenset({"regions"}),
    "POST /workspaceproxies": WITH_TOKEN,
    "DELETE /workspaceproxies/{workspaceproxy}": DONE,
    "PATCH /workspaceproxies/{workspaceproxy}": WITH_TOKEN,
}
"""Where a real Coder answers with an object that the page does not show: the fields of that object."""
LEFT_OUT: Final = ("limit: is missing", "actual: is missing", "updated_at: is missing")
"""What a real Coder leaves out where there is none, or has under another name."""


# The walks


def _world(profile: str, logs: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(CoderServer(profile=profile, CODER_SCIM_AUTH_HEADER="Bearer key"))
        yield World(server, stack, logs)


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from _world("documented", tmp_path_factory.mktemp("documented"))


@pytest.fixture(scope="module")
def codersdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from _world("codersdk", tmp_path_factory.mktemp("codersdk"))


WALK: Final = [pytest.param(record, id=key(record)) for record in records()]


def _answer(world: World, record: Record) -> httpx2.Response:
    call = CALLS.get(key(record))
    assert call is not None, "no function calls this record"
    answer = call(world, record)
    assert answer.status_code == record["status"], answer.text
    return answer


@pytest.mark.parametrize("record", WALK)
def test_an_answer_is_exactly_what_the_page_says(documented: World, record: Record) -> None:
    answer = _answer(documented, record)
    if record["response"] is None:
        return
    assert list(differences(record["response"], answer.json(), record["enums"])) == []
    assert answer.json(), "an empty list shows nothing"


@pytest.mark.parametrize("record", WALK)
def test_an_answer_in_the_other_profile_is_what_a_real_coder_sends(codersdk: World, record: Record) -> None:
    answer = _answer(codersdk, record)
    if key(record) in REAL:
        assert answer.json().keys() == REAL[key(record)]
    elif record["response"] is not None:
        found = list(differences(record["response"], answer.json(), record["enums"]))
        assert [text for text in found if not text.endswith(("is not on the page", *LEFT_OUT))] == []


def test_every_call_is_of_a_record() -> None:
    assert {*CALLS} == {key(record) for record in records()}
    assert {*REAL} <= {*CALLS}


def test_the_checker_sees_what_differs() -> None:
    (record,) = [record for record in records() if key(record) == "GET /workspace-quota/{user}"]
    found = differences(record["response"], json.loads('{"budget": true, "more": 1}'), {})
    assert {text.partition(":")[0] for text in found} == {"$.budget", "$.credits_consumed", "$.more"}
