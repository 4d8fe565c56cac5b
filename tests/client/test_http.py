"""One request: every answer that a server, or what stands in front of it, may give becomes one error with one sense."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from typing_extensions import override

from coder_enterprise.client import errors, failures, http
from coder_enterprise.client.http import Call, CallHooks, ConnectionSettings, Transport
from tests.support.faults import fault
from tests.support.front import Certificate
from tests.support.scripted import HTML, NO_ROUTE, NOT_FOUND, TOKEN, Scripted, Talk, raw_server
from tests.support.waiting import wait_for

ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class Thing(BaseModel):
    name: str
    size: int = 0


@pytest.fixture
async def transport(server: Scripted) -> AsyncIterator[Transport]:
    connected = Transport(server.settings)
    yield connected
    await connected.close()


@contextlib.asynccontextmanager
async def connected(url: str, hooks: CallHooks) -> AsyncIterator[Transport]:
    transport = Transport(ConnectionSettings(url, TOKEN), hooks)
    try:
        yield transport
    finally:
        await transport.close()


async def get(transport: Transport, path: str = "/thing") -> Thing:
    return await transport.get("things.get", path, Thing)


async def failure(transport: Transport, path: str = "/thing") -> errors.CoderError:
    with pytest.raises(errors.CoderError) as caught:
        await get(transport, path)
    return caught.value


async def failure_at(url: str, ca_bundle: str = "") -> errors.CoderError:
    """What a read of the server at `url` raises."""
    transport = Transport(ConnectionSettings(url, TOKEN, ca_bundle))
    try:
        return await failure(transport)
    finally:
        await transport.close()


# What is sent


async def test_the_token_goes_into_the_header_and_not_into_the_url(server: Scripted, transport: Transport) -> None:
    server.answer("/thing", {"name": "x"})
    await transport.get("things.get", "/thing", Thing, limit=3, q="a b&c")
    asked = server.asked[0]
    assert asked.headers["Coder-Session-Token"] == TOKEN
    assert asked.query == {"limit": "3", "q": "a b&c"}
    assert TOKEN not in asked.path + str(asked.query)


async def test_fields_that_were_not_set_are_not_sent(server: Scripted, transport: Transport) -> None:
    server.answer("/thing", {"name": "x"}, method="PATCH")
    await transport.send("things.update", "PATCH", "/thing", Thing(name="x"), Thing)
    assert json.loads(server.asked[0].body) == {"name": "x"}


async def test_a_base_url_may_end_with_a_slash(server: Scripted) -> None:
    server.answer("/thing", {"name": "x"})
    transport = Transport(replace(server.settings, url=server.url + "/"))
    assert await get(transport) == Thing(name="x")
    await transport.close()


# What is answered


@pytest.mark.parametrize(
    ("status", "expected", "meaning"),
    [
        (400, errors.BadRequest, errors.Meaning.STALLED),
        (401, errors.Unauthorized, errors.Meaning.TRANSIENT),
        (403, errors.Forbidden, errors.Meaning.STALLED),
        (404, errors.NotFound, errors.Meaning.STALLED),
        (409, errors.AlreadyTaken, errors.Meaning.STALLED),
        (422, errors.BadRequest, errors.Meaning.STALLED),
        (429, errors.TooManyRequests, errors.Meaning.TRANSIENT),
        (500, errors.ServerError, errors.Meaning.TRANSIENT),
        (503, errors.ServerError, errors.Meaning.TRANSIENT),
    ],
)
async def test_an_error_status_has_its_class_and_its_meaning(
    server: Scripted,
    transport: Transport,
    status: int,
    expected: type[errors.APIError],
    meaning: errors.Meaning,
) -> None:
    server.answer("/thing", {"message": "No."}, status=status)
    error = await failure(transport)
    assert type(error) is expected
    assert error.meaning is meaning
    assert error.message == f"Coder answered {status}: No"


async def test_the_servers_own_words_are_told_once(server: Scripted, transport: Transport) -> None:
    validations = [{"field": "name", "detail": "is taken."}]
    server.answer("/thing", {"message": "No.", "detail": "No.", "validations": validations}, status=400)
    error = await failure(transport)
    assert isinstance(error, errors.APIError)
    assert error.message == "Coder answered 400: No; name: is taken"
    assert error.validations == {"name": "is taken."}


@pytest.mark.parametrize("validations", [None, 5, "text", {"field": "x"}, [1, None, {}]])
async def test_an_odd_list_of_validations_hides_nothing(
    server: Scripted, transport: Transport, validations: Any
) -> None:
    server.answer("/thing", {"message": "No.", "validations": validations}, status=400)
    assert (await failure(transport)).message.startswith("Coder answered 400: No")


@pytest.mark.parametrize(
    ("body", "route_missing"),
    [
        (NO_ROUTE, True),
        (NOT_FOUND, False),
        (NOT_FOUND | {"detail": "no group named route-66"}, False),
        ({"message": "no Route matched with those values"}, True),
    ],
)
async def test_a_missing_route_is_told_from_a_missing_thing(
    server: Scripted, transport: Transport, body: dict[str, str], route_missing: bool
) -> None:
    server.answer("/thing", body, status=404)
    error = await failure(transport)
    assert isinstance(error, errors.NotFound)
    assert error.route_missing is route_missing


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409])
async def test_html_is_not_coder(server: Scripted, transport: Transport, status: int) -> None:
    server.answer("/thing", status=status, text=HTML)
    error = await failure(transport)
    assert isinstance(error, errors.NotCoder)
    assert server.url in error.message
    assert "<html>" not in error.message


SAID: Final = '{"message": "Deleted"}'
ELSEWHERE: Final = [HTML, '{"message": "Succ', "[]", '"deleted"', "null", "{}", '{"ok": true}', '{"id": "t2"}']


async def gone() -> bool:
    return True


@pytest.mark.parametrize("is_gone", [None, gone])
@pytest.mark.parametrize("text", ELSEWHERE)
async def test_what_is_no_answer_of_coder_has_deleted_nothing(
    server: Scripted, transport: Transport, text: str, is_gone: Callable[[], Awaitable[bool]] | None
) -> None:
    server.answer("/things/t1", method="DELETE", text=text)
    with pytest.raises(errors.NotCoder, match=r"^DELETE /api/v2/things/t1 answered 200") as caught:
        await transport.delete("things.delete", "/things/t1", is_gone=is_gone)
    assert "t2" not in caught.value.message


@pytest.mark.parametrize(("status", "text"), [(200, ""), (200, "\n"), (204, "")])
async def test_an_answer_without_a_word_counts_when_it_is_seen_that_the_thing_is_gone(
    server: Scripted, transport: Transport, status: int, text: str
) -> None:
    server.answer("/things/t1", method="DELETE", status=status, text=text)
    with pytest.raises(errors.NotCoder):
        await transport.delete("things.delete", "/things/t1")
    await transport.delete("things.delete", "/things/t1", is_gone=gone)


@pytest.mark.parametrize("text", [SAID, '{"id": "T1", "name": "one"}'])
async def test_coder_deletes_with_a_message_or_shows_what_it_has_deleted(
    server: Scripted, transport: Transport, text: str
) -> None:
    server.answer("/things/t1", method="DELETE", text=text)
    await transport.delete("things.delete", "/things/t1")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_html_of_a_gateway_is_an_outage(server: Scripted, transport: Transport, status: int) -> None:
    server.answer("/thing", status=status, text=HTML)
    assert isinstance(await failure(transport), errors.ServerError)


async def test_a_redirect_is_named_and_not_followed(server: Scripted, transport: Transport) -> None:
    server.answer("/thing", status=307, headers={"Location": f"/login?token={TOKEN}"})
    error = await failure(transport)
    assert isinstance(error, errors.NotCoder)
    assert "redirects to another page of its own" in error.message
    assert TOKEN not in error.message
    assert server.paths() == ["/thing"]


@pytest.mark.parametrize("text", ["", "{", '{"name": "x"', "\x00", "[" * 100_000])
async def test_broken_json_is_not_coder(server: Scripted, transport: Transport, text: str) -> None:
    server.answer("/thing", text=text)
    assert isinstance(await failure(transport), errors.NotCoder)


async def test_broken_json_with_an_error_status_is_not_coder(server: Scripted, transport: Transport) -> None:
    server.answer("/thing", text="[" * 100_000, status=400)
    assert isinstance(await failure(transport), errors.NotCoder)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "size": "big"}, "size"),
        ({"size": 1}, "name"),
        ([], "the answer"),
        (None, "the answer"),
    ],
)
async def test_an_answer_of_another_shape_names_the_field(
    server: Scripted, transport: Transport, body: Any, field: str
) -> None:
    server.answer("/thing", body)
    error = await failure(transport)
    assert isinstance(error, errors.UnexpectedShape)
    assert f"/api/v2/thing: {field}: " in error.message


async def test_an_answer_without_end_is_given_up(
    server: Scripted, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER", 1000)
    server.answer("/thing", {"name": "x" * 2000})
    assert "more than 1000 bytes" in (await failure(transport)).message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("86400", failures.MAX_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 GMT", failures.MAX_RETRY_AFTER),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("", failures.DEFAULT_RETRY_AFTER),
        ("soon", failures.DEFAULT_RETRY_AFTER),
        ("nan", failures.DEFAULT_RETRY_AFTER),
        ("\u00b2", failures.DEFAULT_RETRY_AFTER),
    ],
)
async def test_retry_after_is_read_as_seconds(
    server: Scripted, transport: Transport, header: str, seconds: float
) -> None:
    server.answer("/thing", {"message": "Slow down."}, status=429, headers={"Retry-After": header})
    error = await failure(transport)
    assert isinstance(error, errors.TooManyRequests)
    assert error.retry_after == seconds


async def test_retry_after_may_be_missing(server: Scripted, transport: Transport) -> None:
    server.answer("/thing", status=429, text="Slow down")
    error = await failure(transport)
    assert isinstance(error, errors.TooManyRequests)
    assert error.retry_after == failures.DEFAULT_RETRY_AFTER


# Connections that break


def head(length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length


async def test_a_truncated_answer_is_unreachable() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head(100) + b'{"name": ')

    async with raw_server(talk) as url:
        assert isinstance(await failure_at(url), errors.Unreachable)


async def test_what_is_no_http_is_unreachable() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    async with raw_server(talk) as url:
        assert isinstance(await failure_at(url), errors.Unreachable)


class KeptAlive:
    """Answers the first request of the first connection, and hangs up at every request after it until `heals`."""

    def __init__(self, *, heals: bool) -> None:
        self.requests: list[bytes] = []
        self._heals = heals
        self._connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        answers = 1 if self._connections == 1 or self._heals else 0
        while True:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if answers == 0:
                return
            answers -= 1
            body = b'{"name": "x"}'
            writer.write(head(len(body)) + body)


async def test_a_read_is_repeated_when_the_kept_alive_connection_was_closed() -> None:
    server = KeptAlive(heals=True)
    async with raw_server(server.talk) as url:
        transport = Transport(ConnectionSettings(url, TOKEN))
        await get(transport)
        assert await get(transport) == Thing(name="x")
        await transport.close()
    assert len(server.requests) == 3


async def test_a_read_is_repeated_only_once() -> None:
    server = KeptAlive(heals=False)
    async with raw_server(server.talk) as url:
        transport = Transport(ConnectionSettings(url, TOKEN))
        await get(transport)
        assert isinstance(await failure(transport), errors.Unreachable)
        await transport.close()
    assert len(server.requests) == 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_write_is_never_sent_twice(method: str) -> None:
    server = KeptAlive(heals=True)
    async with raw_server(server.talk) as url:
        transport = Transport(ConnectionSettings(url, TOKEN))
        await get(transport)
        with pytest.raises(errors.Unreachable):
            await transport.send("things.write", method, "/thing", Thing(name="x"), Thing)
        await transport.close()
    assert len(server.requests) == 2


async def test_a_refused_connection_names_the_url_and_the_cause(unused_port: int) -> None:
    url = f"http://127.0.0.1:{unused_port}"
    error = await failure_at(url)
    assert type(error) is errors.Unreachable
    assert error.message.startswith(f"{url} cannot be reached: ")
    assert error.message.endswith("; check spec.url")
    assert error.message.count(url) == 1


@pytest.fixture
async def unused_port() -> int:
    async with raw_server(nothing) as url:
        return int(url.rpartition(":")[2])


async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing, and closes."""


async def test_json_that_is_broken_is_not_told_as_another_content_type(server: Scripted, transport: Transport) -> None:
    server.reply("/thing", lambda _: web.Response(text='{"half": ', content_type="application/json"))
    assert "answered 200 with something broken instead of JSON" in (await failure(transport)).message


BANNER = "banner-of-the-mail-server"


@pytest.mark.parametrize(
    "answer",
    [
        f"SSH-2.0-{BANNER}\r\n",
        f"-ERR {BANNER} 'GET'\r\n",
        f"HTTP/1.1 200 OK\r\n{BANNER}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {BANNER}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nX: {BANNER * 1000}\r\n\r\n",
        f"HTTP/1.1 200 {BANNER}\r\nX: {BANNER}\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{BANNER}\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n{BANNER}\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{BANNER}",
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {BANNER}\r\nContent-Length: 2\r\n\r\n{{}}",
        f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(BANNER)}\r\n\r\n{BANNER}",
        f"HTTP/1.1 200 OK\r\nContent-Type: {BANNER}/x\r\nContent-Length: {len(BANNER)}\r\n\r\n{BANNER}",
        f"HTTP/1.1 418 {BANNER}\r\nContent-Type: text/{BANNER}\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_nothing_is_told_of_what_a_server_says_that_is_none_of_coders(answer: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode())

    async with raw_server(talk) as url:
        error = await failure_at(url)
    assert url in error.message
    assert BANNER not in error.message.lower()


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://", "http://[::1", "http://a\u2100.example"])
async def test_a_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(errors.Unreachable, match=r"spec\.url"):
        raise await failure_at(url)


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.05)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(talk) as url:
        error = await failure_at(url)
    assert type(error) is errors.Unreachable
    assert "no answer within" in error.message


# TLS


async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one request."""
    await reader.readuntil(b"\r\n\r\n")
    body = b'{"name": "x"}'
    writer.write(head(len(body)) + body)
    await reader.read()


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
async def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path, scheme: str) -> None:
    certificate = Certificate(tmp_path)
    async with raw_server(polite, certificate.server_context()) as url:
        error = await failure_at(url.replace("https", scheme))
    assert isinstance(error, errors.TLSFailed)
    assert "spec.caBundle" in error.message


async def test_a_certificate_of_the_bundle_is_trusted(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    async with raw_server(polite, certificate.server_context()) as url:
        transport = Transport(ConnectionSettings(url, TOKEN, certificate.pem))
        assert await get(transport) == Thing(name="x")
        await transport.close()


async def test_plain_http_where_tls_was_expected_is_told_as_tls(server: Scripted) -> None:
    assert isinstance(await failure_at(server.url.replace("http:", "https:")), errors.TLSFailed)


@pytest.mark.parametrize("bundle", ["no certificate", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"])
async def test_a_bundle_without_a_certificate_is_refused(bundle: str) -> None:
    with pytest.raises(errors.TLSFailed, match=r"spec\.caBundle"):
        Transport(ConnectionSettings("https://coder.example.com", TOKEN, bundle))


# The token


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"message": f"bad {TOKEN}"}),
        (400, {"message": "no", "detail": f"bad {TOKEN}"}),
        (400, {"message": "no", "validations": [{"field": "token", "detail": TOKEN}]}),
        (400, {"message": "no", "validations": [{"field": TOKEN, "detail": "no"}]}),
        (429, {"message": f"bad {TOKEN}"}),
        (500, {"message": f"bad {TOKEN}"}),
        (200, {"name": {TOKEN: TOKEN}}),
    ],
)
async def test_the_token_is_removed_from_what_a_server_says(
    server: Scripted, transport: Transport, status: int, body: Any
) -> None:
    server.answer("/thing", body, status=status)
    error = await failure(transport)
    assert TOKEN not in str(error) + repr(error) + str(vars(error))


async def test_the_token_is_not_in_what_names_a_wrong_entry(server: Scripted, transport: Transport) -> None:
    server.answer("/things", {TOKEN: "text"})
    with pytest.raises(errors.UnexpectedShape) as caught:
        await transport.get("things.list", "/things", TypeAdapter(dict[str, int]))
    assert TOKEN not in str(caught.value)


def test_the_token_is_not_in_a_repr() -> None:
    settings = ConnectionSettings("https://coder.example.com", TOKEN, "a certificate")
    assert TOKEN not in repr(settings)
    assert "a certificate" not in repr(settings)


@pytest.mark.parametrize("token", ["abc\r\nX-Evil: 1", "abc\ndef", "abc\x00"])
async def test_a_token_that_no_header_can_hold_is_not_told(server: Scripted, token: str) -> None:
    transport = Transport(replace(server.settings, token=token))
    error = await failure(transport)
    await transport.close()
    assert token not in str(error)
    assert server.asked == []


# Proxies


async def test_the_proxy_of_the_environment_is_used(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    await failure_at("http://coder.invalid")
    assert server.asked[0].headers["Host"] == "coder.invalid"


@pytest.mark.parametrize("excluded", ["127.0.0.1", "*", "example.com,127.0.0.1"])
async def test_no_proxy_excludes_a_server(server: Scripted, monkeypatch: pytest.MonkeyPatch, excluded: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", excluded)
    server.answer("/thing", {"name": "x"})
    transport = Transport(server.settings)
    assert await get(transport) == Thing(name="x")
    await transport.close()


async def test_the_password_of_a_proxy_is_not_told(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://user:hunter2@127.0.0.1:{unused_port}")
    error = await failure_at("http://coder.invalid")
    assert "hunter2" not in str(error) + repr(error)


# Hooks


class Recording(CallHooks):
    def __init__(self) -> None:
        self.seen: list[str] = []

    @override
    async def before(self, call: Call) -> None:
        self.seen.append(f"before {call.operation} {'writes' if call.writes else 'reads'}")

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        self.seen.append(f"after {call.operation} {type(error).__name__}")


async def test_hooks_see_each_call_with_its_error(server: Scripted) -> None:
    hooks = Recording()
    transport = Transport(server.settings, hooks)
    server.answer("/thing", {"name": "x"})
    server.answer("/html", text=HTML)
    await get(transport)
    await failure(transport, "/html")
    with pytest.raises(errors.NotFound):
        await transport.delete("things.delete", "/thing")
    await transport.close()
    assert hooks.seen == [
        "before things.get reads",
        "after things.get NoneType",
        "before things.get reads",
        "after things.get NotCoder",
        "before things.delete writes",
        "after things.delete NotFound",
    ]


async def test_a_call_that_was_given_up_is_no_success() -> None:
    hooks = Recording()
    asked = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    await cancelled_call(talk, hooks, asked)
    assert hooks.seen == ["before things.get reads"]


async def cancelled_call(talk: Talk, hooks: Recording, asked: asyncio.Event) -> None:
    async with raw_server(talk) as url:
        transport = Transport(ConnectionSettings(url, TOKEN), hooks)
        call = asyncio.create_task(get(transport))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await transport.close()


class Fence(CallHooks):
    @override
    async def before(self, call: Call) -> None:
        raise PermissionError("not the leader")

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        raise AssertionError("nothing was sent")


async def test_a_hook_may_stop_a_call_before_it_is_sent(server: Scripted) -> None:
    transport = Transport(server.settings, Fence())
    with pytest.raises(PermissionError):
        await get(transport)
    await transport.close()
    assert server.asked == []


class Lost(Exception): ...


class Fading(CallHooks):
    """May send until `closed`."""

    def __init__(self) -> None:
        self.closed = False
        self.passed: list[str] = []

    @override
    async def before(self, call: Call) -> None:
        self.passed.append(call.operation)

    @override
    def sending(self, call: Call) -> None:
        if self.closed:
            raise Lost

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None: ...


@fault(
    name="right to write lost while a request waits",
    injected="In process: a write to Coder has passed the fence, and waits for a connection while the Lease is lost.",
    verdict="It is not sent.",
)
async def test_a_call_that_waited_for_a_connection_may_still_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 1)
    hooks, sent, answer = Fading(), list[bytes](), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            sent.append(head.partition(b" ")[0])
            await answer.wait()
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(SAID)}\r\n\r\n{SAID}".encode())

    async with raw_server(talk) as url, connected(url, hooks) as transport:
        busy = asyncio.create_task(transport.delete("things.first", "/thing"))
        waiting = asyncio.create_task(transport.delete("things.second", "/thing"))
        await wait_for(lambda: hooks.passed == ["things.first", "things.second"] and sent, "one waits for the other")
        hooks.closed = True
        answer.set()
        await busy
        with pytest.raises(Lost):
            await waiting
        hooks.closed = False
        await transport.delete("things.third", "/thing")
    assert sent == [b"DELETE", b"DELETE"]


async def test_a_connection_that_was_replaced_meanwhile_is_called_so(server: Scripted) -> None:
    transport = Transport(server.settings)
    await transport.close()
    error = await failure(transport)
    assert isinstance(error, errors.Unreachable)
    assert "was replaced" in error.message
