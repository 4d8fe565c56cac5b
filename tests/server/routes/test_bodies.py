"""Request bodies: read as Coder reads them, and refused by field."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from coder_enterprise.server.routes import bodies
from coder_enterprise.server.routes.app import Application, create_app
from coder_enterprise.server.routes.bodies import MAX_BODY, MAX_FROM_ANYBODY, NIL
from coder_enterprise.server.services.all import Services
from tests.support.api import Client, checked, create_group, refused
from tests.support.templates import create_template

GROUPS = "/organizations/default/groups"


async def test_keys_match_in_any_case_and_unknown_ones_are_ignored(owner: Client) -> None:
    made = checked(await owner.post(GROUPS, json={"NAME": "a", "Display_Name": "A", "nothing": {"x": [1]}}))
    assert (made["name"], made["display_name"]) == ("a", "A")


async def test_the_last_of_two_equal_keys_counts(owner: Client) -> None:
    assert checked(await owner.post(GROUPS, content='{"name": "a", "Name": "b"}'))["name"] == "b"


@pytest.mark.parametrize("rest", [" garbage", "}", '{"name": "b"}', "\n\n"])
async def test_what_follows_the_first_value_is_ignored(owner: Client, rest: str) -> None:
    assert checked(await owner.post(GROUPS, content='\n {"name": "a"}' + rest))["name"] == "a"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_the_content_type_does_not_matter(owner: Client, content_type: str) -> None:
    answer = await owner.post(GROUPS, content='{"name": "a"}', headers={"Content-Type": content_type})
    assert checked(answer)["name"] == "a"


async def test_null_is_the_default_of_a_new_object(owner: Client) -> None:
    made = checked(await owner.post(GROUPS, json={"name": "a", "display_name": None, "quota_allowance": None}))
    assert (made["display_name"], made["quota_allowance"]) == ("", 0)


async def test_null_keeps_what_an_object_has(owner: Client) -> None:
    made = await create_group(owner, "a", display_name="A", avatar_url="/a.png", quota_allowance=3)
    nothing = dict.fromkeys(("name", "display_name", "avatar_url", "quota_allowance", "add_users", "remove_users"))
    assert checked(await owner.patch(f"/groups/{made['id']}", json=nothing)) == made


async def test_the_nil_id_of_what_must_be_named_is_missing(owner: Client) -> None:
    template = await create_template(owner, "docker")
    refused(await owner.patch(f"/templates/{template['id']}/versions", json={"id": NIL}), 400, "id")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"name"',
        b"1",
        b"{",
        b'{"name": "a"',
        b"{'name': 'a'}",
        b'{"name": "a", "quota_allowance": NaN}',
        b'{"name": "a", "quota_allowance": -Infinity}',
        b'{"name": "a\x00"}',
        b'{"name": "\xff"}',
        b"\xef\xbb\xbf{}",
        '{"name": "a"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"name": ' + b'{"a":' * 100_000,
        b'{"name": "a", "quota_allowance": 1' + b"0" * 5000 + b"}",
    ],
)
async def test_what_is_no_json_object_is_refused(owner: Client, content: bytes) -> None:
    assert refused(await owner.post(GROUPS, content=content), 400)["detail"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 1),
        ("name", ["a"]),
        ("name", {"a": "b"}),
        ("display_name", True),
        ("quota_allowance", "1"),
        ("quota_allowance", 1.0),
        ("quota_allowance", 1.5),
        ("quota_allowance", 1e400),
        ("quota_allowance", True),
    ],
)
async def test_a_wrong_type_is_refused_by_field(owner: Client, field: str, value: Any) -> None:
    content = json.dumps({"name": "a", field: value}).replace("Infinity", "1e400")
    assert field in refused(await owner.post(GROUPS, content=content), 400, field)["detail"]


@pytest.mark.parametrize("value", ["a", {"a": 1}, [1], [None], [["a"]]])
async def test_a_list_of_something_else_is_refused(owner: Client, value: Any) -> None:
    made = await create_group(owner, "a")
    answer = await owner.patch(f"/groups/{made['id']}", json={"add_users": value})
    assert answer.json()["validations"][0]["field"].startswith("add_users")
    assert answer.status_code == 400


@pytest.mark.parametrize("text", [r"\u0000", r"a\u0000b", r"\ud800", r"\udfff", r"\udc00\ud800"])
@pytest.mark.parametrize("field", ["name", "display_name", "avatar_url"])
async def test_text_that_no_database_can_keep_is_refused_by_field(owner: Client, field: str, text: str) -> None:
    body = {"name": '"a"'} | {field: f'"{text}"'}
    content = "{" + ",".join(f'"{key}": {value}' for key, value in body.items()) + "}"
    refused(await owner.post(GROUPS, content=content), 400, field)


async def test_such_text_is_refused_inside_lists_too(owner: Client) -> None:
    made = await create_group(owner, "a")
    answer = await owner.patch(f"/groups/{made['id']}", content=r'{"add_users": ["\ud800"]}')
    refused(answer, 400, "add_users")


async def test_such_text_does_not_break_a_login(nobody: Client) -> None:
    for value in (r"\u0000", r"\ud800"):
        content = f'{{"email": "{value}", "password": "{value}"}}'
        refused(await nobody.post("/users/login", content=content), 400, "email", "password")


async def test_all_other_text_is_kept_as_it_is(owner: Client) -> None:
    text = "é \\u0000 \U0001f600 \u2028 \x7f \ufffd \t"  # the backslash is one
    appearance = checked(await owner.put("/appearance", json={"application_name": text}))
    assert appearance["application_name"] == text
    made = await create_group(owner, "a")
    escaped = await owner.patch(f"/groups/{made['id']}", content=r'{"display_name": "\ud83d\ude00"}')
    assert checked(escaped)["display_name"] == "\U0001f600"


async def test_a_body_of_the_greatest_size_is_read(owner: Client) -> None:
    content = '{"name": "a", "nothing": "'
    content += "x" * (MAX_BODY - len(content) - 2) + '"}'
    assert len(content) == MAX_BODY
    assert (await owner.post(GROUPS, content=content)).status_code == 201


async def test_a_larger_body_is_refused(owner: Client) -> None:
    content = '{"name": "a"}' + " " * MAX_BODY
    refused(await owner.post(GROUPS, content=content), 413)
    assert [group["name"] for group in (await owner.get(GROUPS)).json()] == ["Everyone"]


async def test_who_sends_it_is_asked_before_the_body_is_read(nobody: Client) -> None:
    refused(await nobody.post(GROUPS, content="no JSON"), 401)
    refused(await nobody.post(GROUPS, content="x" * (MAX_BODY + 1)), 401)


async def test_a_sender_who_goes_away_is_no_fault_of_the_server(
    app: Application, owner: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "server": ("coder.test", 80),
        "path": "/api/v2/users/login",
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert capsys.readouterr().out == ""


async def test_who_is_not_known_may_send_little(nobody: Client) -> None:
    refused(await nobody.post("/users/login", content=b" " * (MAX_FROM_ANYBODY + 1)), 413)


async def test_all_bodies_together_have_a_limit(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODIES", 100)
    async with Client(create_app(services)) as caller:
        answer = await caller.post("/users/login", content=b" " * 101)
        assert answer.headers["Retry-After"] == "1"
        refused(answer, 429)


async def test_what_a_body_took_is_given_back(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODIES", 100)
    async with Client(create_app(services)) as caller:
        statuses = {(await caller.post("/users/login", content=b" " * 60)).status_code for _ in range(3)}
    assert statuses == {400}


async def test_nobody_takes_what_others_need_for_theirs(
    services: Services, monkeypatch: pytest.MonkeyPatch, owner: Client, member: Client
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODIES_OF_ONE", 500)
    monkeypatch.setattr(bodies, "MAX_BODIES", 600)
    sent, rest = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"{" + b" " * 450
        sent.set()
        await rest.wait()
        yield b"}"

    app = create_app(services)
    async with Client(app, owner.token) as other, Client(app, member.token) as greedy, asyncio.TaskGroup() as group:
        late = group.create_task(greedy.post("/users/me/keys/tokens", content=body()))
        await sent.wait()
        refused(await greedy.post("/users/me/keys/tokens", content=b"{" + b" " * 60), 429)
        checked(await other.post(GROUPS, json={"name": "a"}))
        rest.set()
    checked(await late)
