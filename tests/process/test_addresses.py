"""Addresses to listen on: how they are written, which ones are refused in words, and who can connect."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys

import pytest

from coder_enterprise.process.addresses import Address, AddressError, bracketed, listen, parse_address, url_of


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("localhost:65535", Address("localhost", 65535)),
        ("[::1]:3000", Address("::1", 3000)),
        ("[fe80::1%eth0]:3000", Address("fe80::1%eth0", 3000)),
        ("[::]:3000", Address("::", 3000)),
        (":3000", Address("", 3000)),
        (" :3000\n", Address("", 3000)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, parsed: Address) -> None:
    assert parse_address("--address", text) == parsed
    assert parse_address("--address", str(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    ["", "foo", "3000", "::1:3000", "[::1]", "[127.0.0.1]:3000", "[]:3000", "a b:1", "http://x:1", "x:65536", "x:²"],
)
def test_what_is_no_address_is_refused_in_words(text: str) -> None:
    with pytest.raises(AddressError, match=r"^--address: .* is not host:port"):
        parse_address("--address", text)


def test_every_address_is_that_of_ipv4_too() -> None:
    with listen("--address", Address("::", 0)) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        if listener.family is socket.AF_INET6:
            socket.create_connection(("::1", port)).close()


def test_without_ipv6_every_address_is_that_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listen("--address", Address("", 0)) as listener:
        assert listener.family is socket.AF_INET


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
def test_where_it_cannot_listen_it_says_why(host: str) -> None:
    with pytest.raises(AddressError, match=r"^--address: cannot listen on .*: \w"):
        listen("--address", Address(host, 0))


def test_of_two_that_listen_at_once_one_has_the_port() -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(listen("--address", Address("127.0.0.1", 0)))
        assert url_of(first) == f"http://127.0.0.1:{first.getsockname()[1]}"
        with pytest.raises(AddressError, match="Address already in use"):
            listen("--address", Address("127.0.0.1", first.getsockname()[1]))


@pytest.mark.parametrize(
    ("url", "with_brackets"),
    [
        ("http://fd00::5:3000", "http://[fd00::5]:3000"),
        ("http://2001:db8:1:2:3:4:5:6:3000/x", "http://[2001:db8:1:2:3:4:5:6]:3000/x"),
        ("http://[fd00::5]:3000", "http://[fd00::5]:3000"),
        ("http://10.0.0.5:3000", "http://10.0.0.5:3000"),
        ("http://coder:3000", "http://coder:3000"),
        ("", ""),
    ],
)
def test_a_url_of_a_bare_ipv6_address_gets_its_brackets(url: str, with_brackets: str) -> None:
    assert bracketed(url) == with_brackets


@pytest.mark.parametrize(
    ("program", "option"),
    [
        ("operator", "--health-address"),
        ("operator", "--page-address"),
        ("server", "--http-address"),
        ("wsproxy", "--http-address"),
    ],
)
def test_every_command_refuses_a_bad_address_in_one_line(program: str, option: str) -> None:
    nowhere = ["--health-address", ""] if program == "operator" else []
    command = [sys.executable, "-m", "coder_enterprise", program, *nowhere, option, "foo"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert line.startswith(f"coder-enterprise {program}: ")
    assert "'foo' is not host:port" in line
