"""The typed client: pages, paths, and both shapes of answers that servers from Coder 2.2 to today send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import unquote

import pytest
from aiohttp import web
from pydantic import TypeAdapter

from coder_enterprise.client import errors, proxy_records, records
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.wire.groups import CreateGroupRequest, PatchGroupRequest
from coder_enterprise.wire.proxies import CreateWorkspaceProxyRequest, PatchWorkspaceProxy
from coder_enterprise.wire.template_acls import UpdateTemplateACLRequest
from tests.support.scripted import HTML, NO_ROUTE, TOKEN, Asked, Scripted

GROUP_RECORD: Final = TypeAdapter(records.Group)
USER_RECORD: Final = TypeAdapter(records.User)
GROUP: Final = {"id": "g1", "name": "platform", "organization_id": "o1"}

Body = dict[str, Any]


# Users, in pages


class Users:
    """A sorted list that answers like Coder: 0 is the count past the last page."""

    def __init__(self, names: list[str], *, largest_page: int = 1000) -> None:
        self.names = names
        self.largest_page = largest_page
        self.gone_after_first_page: list[str] = []

    def reply(self, asked: Asked) -> web.Response:
        offset, limit = int(asked.query["offset"]), int(asked.query["limit"])
        page = self.names[offset : offset + min(limit, self.largest_page)]
        body = {
            "users": [{"id": f"id-{name}", "username": name} for name in page],
            "count": len(self.names) if page else 0,
        }
        self.names = [name for name in self.names if name not in self.gone_after_first_page]
        return web.json_response(body)


def names(count: int) -> list[str]:
    return [f"user-{number:05}" for number in range(count)]


async def listed(server: Scripted, client: CoderClient, users: Users) -> list[str]:
    server.reply("/users", users.reply)
    return [user.username for user in await client.users.list()]


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2000, 2), (2500, 3)])
async def test_users_are_read_in_pages_of_1000(
    server: Scripted, client: CoderClient, count: int, requests: int
) -> None:
    assert await listed(server, client, Users(names(count))) == names(count)
    assert [asked.query["limit"] for asked in server.asked] == ["1000"] * requests


async def test_a_server_with_smaller_pages_is_read_to_the_end(server: Scripted, client: CoderClient) -> None:
    assert await listed(server, client, Users(names(250), largest_page=100)) == names(250)


async def test_nobody_is_skipped_when_somebody_is_deleted_between_two_pages(
    server: Scripted, client: CoderClient
) -> None:
    users = Users(names(1500))
    users.gone_after_first_page = ["user-00003"]
    found = await listed(server, client, users)
    assert found == [name for name in names(1500) if name != "user-00003"]


async def test_a_server_without_pages_ends_the_list(server: Scripted, client: CoderClient) -> None:
    body = {"users": [{"id": name, "username": name} for name in names(1000)]}
    server.answer("/users", body)
    assert [user.username for user in await client.users.list()] == names(1000)


async def test_null_is_no_users(server: Scripted, client: CoderClient) -> None:
    server.answer("/users", {"users": None, "count": 0})
    assert await client.users.list() == ()


# Paths


@pytest.mark.parametrize(
    "name", ["a/b", "..%2f", "..", ".", "a?b#c", "%2e%2e", "ü", "a b", "a;b", "a\\b", "../../users"]
)
async def test_a_name_addresses_nothing_else(server: Scripted, client: CoderClient, name: str) -> None:
    with pytest.raises(errors.NotFound):
        await client.groups.by_name("o1", name)
    [path] = server.paths()
    *parents, last = path.split("/")
    assert "/".join(parents) == "/organizations/o1/groups"
    assert unquote(last) == name
    assert last not in {".", ".."}


# Groups


async def test_a_group_is_made_with_what_was_set(server: Scripted, client: CoderClient) -> None:
    server.answer("/organizations/o1/groups", GROUP, method="POST", status=201)
    group = await client.groups.create("o1", CreateGroupRequest(name="platform", quota_allowance=0))
    assert group.id == "g1"
    assert server.asked[0].body == '{"name":"platform","quota_allowance":0}'


async def test_a_group_is_changed_by_difference(server: Scripted, client: CoderClient) -> None:
    server.answer("/groups/g1", GROUP | {"members": [{"id": "u1"}]}, method="PATCH")
    group = await client.groups.update("g1", PatchGroupRequest(add_users=["u1"]))
    assert group.member_ids == {"u1"}
    assert server.asked[0].body == '{"add_users":["u1"]}'


@pytest.mark.parametrize("answer", [GROUP, {"message": "Successfully deleted group!"}])
async def test_deletion_takes_the_documented_answer_and_the_real_one(
    server: Scripted, client: CoderClient, answer: Body
) -> None:
    server.answer("/groups/g1", answer, method="DELETE")
    await client.groups.delete("g1")


@pytest.mark.parametrize("left", [[], None, [{"id": 8}]])
async def test_a_licence_is_deleted_without_a_word_and_looked_for(
    server: Scripted, client: CoderClient, left: list[Body] | None
) -> None:
    server.answer("/licenses/7", method="DELETE", text="")
    server.answer("/licenses", left)
    await client.licenses.delete("7")


@pytest.mark.parametrize("text", ["", HTML])
async def test_a_licence_that_is_still_there_was_not_deleted(server: Scripted, client: CoderClient, text: str) -> None:
    server.answer("/licenses/7", method="DELETE", text=text)
    server.answer("/licenses", [{"id": 7}])
    with pytest.raises(errors.NotCoder):
        await client.licenses.delete("7")


@pytest.mark.parametrize("body", [{}, {"ok": True}, {"message": None}])
async def test_an_acl_is_changed_when_coder_says_so(server: Scripted, client: CoderClient, body: Body) -> None:
    server.answer("/templates/t1/acl", body, method="PATCH")
    with pytest.raises(errors.UnexpectedShape):
        await client.templates.update_acl("t1", UpdateTemplateACLRequest())


async def test_null_is_no_groups(server: Scripted, client: CoderClient) -> None:
    server.answer("/organizations/o1/groups", None)
    assert await client.groups.list("o1") == ()


# Records


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (None, set()),
        ([], set()),
        ([{"id": "u1"}, {"id": "u2", "username": "ann"}], {"u1", "u2"}),
        (["u1"], {"u1"}),
    ],
)
def test_the_members_of_a_group_are_ids(members: Any, expected: set[str]) -> None:
    assert GROUP_RECORD.validate_python(GROUP | {"members": members}).member_ids == expected


def test_a_group_may_leave_out_what_has_a_default() -> None:
    group = GROUP_RECORD.validate_python(GROUP)
    assert (group.display_name, group.avatar_url, group.quota_allowance, group.source) == ("", "", 0, "user")


@pytest.mark.parametrize("members", [[{"username": "ann"}], [None], "u1", 5, {"u1": True}])
async def test_members_of_another_shape_are_refused(server: Scripted, client: CoderClient, members: Any) -> None:
    server.answer("/groups/g1", GROUP | {"members": members})
    with pytest.raises(errors.UnexpectedShape, match="members"):
        await client.groups.get("g1")


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (records.User, {"id": "u1", "username": "ann", "organization_ids": None, "roles": None}),
        (records.User, {"id": "u1", "username": "ann"}),
        (records.Organization, {"id": "o1", "name": "coder"}),
        (records.Entitlements, {"features": None, "errors": None, "warnings": None}),
        (records.License, {"id": 1, "claims": None}),
        (records.Replica, {"id": "r1", "hostname": "coder-0"}),
        (records.ProvisionerDaemon, {"id": "p1", "last_seen_at": None}),
        (proxy_records.ProxyRegions, {"regions": None}),
    ],
)
def test_null_lists_and_missing_fields_are_taken(model: type[records.Record], body: Body) -> None:
    TypeAdapter(model).validate_python(body)


def test_everyone_is_the_group_with_its_organizations_id() -> None:
    assert GROUP_RECORD.validate_python(GROUP | {"id": "o1"}).is_everyone
    assert not GROUP_RECORD.validate_python(GROUP).is_everyone


SEEN: Final = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("fields", "heard"),
    [
        ({"last_seen_at": SEEN}, True),
        ({"updated_at": {"Time": SEEN, "Valid": True}}, True),
        ({"updated_at": {"time": SEEN, "valid": True}}, True),
        ({"updated_at": {"Time": "0001-01-01T00:00:00Z", "Valid": False}}, False),
        ({"updated_at": None}, False),
        ({}, False),
    ],
)
def test_a_daemon_is_heard_in_old_words_and_in_new_ones(fields: Body, heard: bool) -> None:
    daemon = records.ProvisionerDaemon.model_validate({"id": "p1"} | fields)
    assert (daemon.heard_at is not None) is heard


async def test_more_daemons_are_asked_for_than_coder_lists_by_itself(server: Scripted, client: CoderClient) -> None:
    server.answer("/organizations/o1/provisionerdaemons", [{"id": "p1"}])
    await client.server.provisioner_daemons("o1")
    assert int(server.asked[-1].query["limit"]) > 50


# Workspace proxies


def regions(*names: str) -> Body:
    return {"regions": [{"id": name, "name": name} for name in names]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (regions("primary", "east"), ["primary", "east"]),
        ([regions("primary", "east")], ["primary", "east"]),
        ([regions("primary"), regions("east")], ["primary", "east"]),
        ([], []),
        (None, []),
        ({"regions": None}, []),
        ([{"regions": None}], []),
    ],
)
async def test_workspace_proxies_come_as_an_object_or_as_a_list(
    server: Scripted, client: CoderClient, answer: Any, expected: list[str]
) -> None:
    server.answer("/workspaceproxies", answer)
    listed = await client.server.proxy_lists()
    assert [proxy.name for proxy in listed.proxies] == expected
    assert listed.documented is isinstance(answer, list)


@pytest.mark.parametrize("answer", [5, "text", [5], [{"regions": [{"id": "x"}]}], {"regions": 5}])
async def test_proxies_of_another_shape_are_refused(server: Scripted, client: CoderClient, answer: Any) -> None:
    server.answer("/workspaceproxies", answer)
    with pytest.raises(errors.UnexpectedShape):
        await client.server.workspace_proxies()


PROXY: Final = {"id": "p1", "name": "eu"}
SHOWN: Final = {"Coder-Workspace-Proxy-Token": "p1:secret"}


@pytest.mark.parametrize(
    ("body", "headers", "token"),
    [
        ({"proxy": PROXY, "proxy_token": "p1:secret"}, {}, "p1:secret"),
        (PROXY, SHOWN, "p1:secret"),
        ({"proxy": PROXY, "proxy_token": ""}, {}, ""),
        ({"proxy": PROXY}, {}, ""),
        (PROXY, {}, ""),
    ],
)
async def test_the_token_of_a_new_proxy_is_in_the_body_or_in_a_header(
    server: Scripted, client: CoderClient, body: Body, headers: dict[str, str], token: str
) -> None:
    server.answer("/workspaceproxies", body, method="POST", status=201, headers=headers)
    server.answer("/workspaceproxies/p1", body, method="PATCH", headers=headers)
    created = await client.proxies.create(CreateWorkspaceProxyRequest(name="eu"))
    updated = await client.proxies.update("p1", PatchWorkspaceProxy(id="p1", regenerate_token=True))
    assert created == updated == (proxy_records.WorkspaceProxy(id="p1", name="eu"), token)
    assert [asked.body for asked in server.asked] == ['{"name":"eu"}', '{"id":"p1","regenerate_token":true}']


def test_a_token_is_not_in_the_repr_of_its_answer() -> None:
    answer = proxy_records.WrittenProxy.model_validate({"proxy": PROXY, "proxy_token": "p1:secret"})
    assert "secret" not in repr(answer)


def test_a_report_of_nulls_is_an_empty_one() -> None:
    status = {"status": "ok", "report": {"errors": None, "warnings": None}}
    assert proxy_records.WorkspaceProxy.model_validate(PROXY | {"status": status}).status.report.errors == ()


# Templates


ANN: Final = {"id": "u1", "username": "ann", "email": "ann@example.com", "role": "admin"}
EVERYONE: Final = {"id": "o1", "name": "Everyone", "role": "use"}


@pytest.mark.parametrize(
    ("body", "users", "group"),
    [
        ([ANN], ["ann@example.com"], None),
        ([], [], None),
        ({"users": [ANN], "group": [EVERYONE]}, ["ann@example.com"], ["Everyone"]),
        ({"users": None, "group": []}, [], []),
    ],
    ids=["documented", "documented, empty", "real", "null"],
)
async def test_an_acl_is_read_in_both_shapes(
    server: Scripted, client: CoderClient, body: Any, users: list[str], group: list[str] | None
) -> None:
    server.answer("/templates/t1/acl", body)
    acl = await client.templates.acl("t1")
    assert [entry.name for entry in acl.users] == users
    assert (None if acl.group is None else [entry.name for entry in acl.group]) == group


async def test_of_an_acl_only_what_changes_is_sent(server: Scripted, client: CoderClient) -> None:
    server.answer("/templates/t1/acl", {"message": "done"}, method="PATCH")
    await client.templates.update_acl("t1", UpdateTemplateACLRequest(user_perms={"u1": ""}))
    assert [asked.body for asked in server.asked] == ['{"user_perms":{"u1":""}}']


async def test_a_template_is_found_by_any_spelling_of_its_name(server: Scripted, client: CoderClient) -> None:
    server.answer("/organizations/o1/templates", [{"id": "t1", "name": "docker", "organization_id": "o1"}])
    found = (await Directory(client).templates("o1").get()).find("DOCKER")
    assert found is not None
    assert found.id == "t1"


# Users, one at a time


@pytest.mark.parametrize(("call", "path"), [("suspend", "status/suspend"), ("activate", "status/activate")])
async def test_a_user_is_suspended_and_let_in_without_a_body(
    server: Scripted, client: CoderClient, call: str, path: str
) -> None:
    server.answer(f"/users/u1/{path}", ANN, method="PUT")
    assert (await getattr(client.users, call)("u1")).username == "ann"
    assert server.asked[0].body == ""


def test_a_role_that_everybody_has_or_that_counts_in_one_organization_is_no_site_role() -> None:
    roles = [{"name": "owner"}, {"name": "member"}, {"name": "auditor", "organization_id": "o1"}]
    assert USER_RECORD.validate_python(ANN | {"roles": roles}).site_roles == {"owner"}


# SCIM

SCIM: Final = "/scim/v2"
SCIM_KEY: Final = "key-of-scim"
SCIM_ERROR: Final = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": "invalidAuthorization"}


@pytest.fixture
async def with_scim(server: Scripted) -> AsyncIterator[CoderClient]:
    async with CoderClient(ConnectionSettings(server.url, TOKEN, scim_key=SCIM_KEY)) as client:
        yield client


REFUSALS: Final[dict[str, tuple[Body, str]]] = {
    "an old server refuses the key": ({"body": SCIM_ERROR, "status": 500}, "invalidAuthorization"),
    "a server refuses the key": ({"body": SCIM_ERROR, "status": 401}, "invalidAuthorization"),
    "a gateway refuses": ({"body": {"message": "No."}, "status": 401}, "401"),
    "an old server without SCIM answers a page": ({"text": HTML, "status": 200}, "CODER_SCIM_AUTH_HEADER"),
    "a server without SCIM knows no such path": ({"body": NO_ROUTE, "status": 404}, "404"),
    "the key comes back": ({"body": SCIM_ERROR | {"detail": f"bad {SCIM_KEY}"}, "status": 401}, r"bad \[removed\]"),
}


@pytest.mark.parametrize(("answer", "message"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_of_scim_is_no_outage(
    server: Scripted, with_scim: CoderClient, answer: Body, message: str
) -> None:
    server.answer("/Users/u1", method="PATCH", root=SCIM, **answer)
    with pytest.raises(errors.SCIMRefused, match=message) as caught:
        await with_scim.scim.set_active("u1", False)
    assert not isinstance(caught.value, errors.OUTAGE)
    assert SCIM_KEY not in str(caught.value)


async def test_a_feature_that_is_not_licensed_is_named(server: Scripted, with_scim: CoderClient) -> None:
    server.answer("/Users", {"message": "SCIM is an Enterprise feature."}, method="POST", status=403, root=SCIM)
    with pytest.raises(errors.Forbidden, match="SCIM is an Enterprise feature"):
        await with_scim.scim.create("ann", "ann@example.com", "", active=True)


async def test_a_server_that_is_broken_is_an_outage_to_scim_too(server: Scripted, with_scim: CoderClient) -> None:
    server.answer("/Users/u1", method="PATCH", status=502, text="bad gateway", root=SCIM)
    with pytest.raises(errors.ServerError):
        await with_scim.scim.set_active("u1", True)


def test_keys_are_not_in_the_representation_of_settings() -> None:
    shown = repr(ConnectionSettings("https://coder.example.com", TOKEN, scim_key=SCIM_KEY))
    assert SCIM_KEY not in shown
    assert TOKEN not in shown


def test_records_that_are_held_by_the_ten_thousand_are_small_and_share_what_they_have_in_common() -> None:
    first, second = (GROUP_RECORD.validate_json(json.dumps(GROUP | {"members": []})) for _ in range(2))
    assert not hasattr(first, "__dict__")
    assert first.organization_id is second.organization_id
    assert first.member_ids is second.member_ids
    ann, bob = (USER_RECORD.validate_json(json.dumps(ANN | {"organization_ids": ["o1"]})) for _ in range(2))
    assert not hasattr(ann, "__dict__")
    assert ann.organization_ids is bob.organization_ids
