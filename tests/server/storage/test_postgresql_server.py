"""CODER_PG_CONNECTION_URL: how it is read, and what is said when the database cannot be used."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import StorageError
from coder_enterprise.server.storage.open import open_postgresql_database
from coder_enterprise.server.storage.postgresql_server import CONNECT_TIMEOUT, VARIABLE, cause, is_lost, parse
from tools.postgresql import PostgreSQL
from tools.processes import free_ports

SECRET = "sw0rdf1sh"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_user_and_password_are_taken_out_of_the_url(scheme: str) -> None:
    server = parse(f"{scheme}://ann:{SECRET}@db.example.com:5433/coder?sslmode=verify-full")
    assert (server.user, server.password) == ("ann", SECRET)
    assert server.url == "postgresql://db.example.com:5433/coder?sslmode=verify-full"


def test_the_password_is_in_no_repr() -> None:
    assert SECRET not in repr(parse(f"postgres://ann:{SECRET}@db/coder"))
    assert SECRET not in repr(parse(f"postgres://ann@db/coder?password={SECRET}"))
    assert SECRET not in repr(parse(f"postgres://ann@db/coder?sslkey=key.pem&sslpassword={SECRET}"))
    assert SECRET not in repr(Settings(pg_connection_url=f"postgres://ann:{SECRET}@db/coder"))


@pytest.mark.parametrize(
    ("written", "password"),
    [("p%40ss%2Fw%23rd%3F", "p@ss/w#rd?"), ("p@ss", "p@ss"), ("a:b", "a:b"), ("%C3%BC", "ü")],
)
def test_a_password_is_percent_decoded(written: str, password: str) -> None:
    server = parse(f"postgres://ann:{written}@db:5432/coder")
    assert server.password == password
    assert server.url == "postgresql://db:5432/coder?sslmode=require"


def test_user_and_password_may_be_parameters() -> None:
    server = parse(f"postgres:///coder?host=/var/run/postgresql&user=ann&password={SECRET}")
    assert (server.user, server.password) == ("ann", SECRET)
    assert server.url == "postgresql:///coder?host=%2Fvar%2Frun%2Fpostgresql&sslmode=require"


def test_several_hosts_stay_as_they_are() -> None:
    url = "postgres://ann@one:5432,two:5433,three/coder?sslmode=disable"
    assert parse(url).url == "postgresql://one:5432,two:5433,three/coder?sslmode=disable"


def test_an_address_of_ipv6_stays_as_it_is() -> None:
    assert parse("postgres://ann@[::1]:5433/coder").url == "postgresql://[::1]:5433/coder?sslmode=require"


def test_tls_is_required_unless_the_url_or_libpqs_variable_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert parse("postgres://db/coder").url == "postgresql://db/coder?sslmode=require"
    assert parse("postgres://db/coder?sslmode=disable").url == "postgresql://db/coder?sslmode=disable"
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert parse("postgres://db/coder").url == "postgresql://db/coder?sslmode=verify-full"


def test_connect_timeout_is_in_seconds_and_has_a_default() -> None:
    assert parse("postgres://db/coder?connect_timeout=3").connect_timeout == 3
    assert parse("postgres://db/coder?connect_timeout=0").connect_timeout == CONNECT_TIMEOUT
    assert parse("postgres://db/coder").connect_timeout == CONNECT_TIMEOUT


def test_a_setting_of_the_url_replaces_the_servers_own() -> None:
    server = parse("postgres://db/coder?statement_timeout=1s")
    assert "statement_timeout" not in server.session
    assert "statement_timeout=1s" in server.url


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://ann:{SECRET}@db/coder",
        f"ann:{SECRET}@db/coder",
        f"postgres://ann:{SECRET}#1@db/coder",
        f"postgres://ann:{SECRET}/1@db/coder",
        f"postgres://ann:{SECRET}?1@db/coder",
        f"postgres://ann:1?{SECRET}@db/coder",
        f"postgres://ann:{SECRET}@db:port/coder",
        f"postgres://ann:{SECRET}@[db/coder",
        f"postgres://ann:{SECRET}@db/coder?connect_timeout=soon",
        f"host=db user=ann password={SECRET}",
        SECRET,
    ],
)
def test_a_url_that_cannot_be_read_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(StorageError, match=rf"{VARIABLE}.*percent-encoded") as caught:
        parse(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


async def refusal(url: str) -> str:
    """What is said when the database at `url` cannot be opened."""
    with pytest.raises(StorageError) as caught:
        await open_postgresql_database(url)
    assert caught.value.__suppress_context__
    return str(caught.value)


async def test_a_wrong_password_is_named_as_the_cause(postgresql: PostgreSQL) -> None:
    message = await refusal(postgresql.url("postgres", SECRET))
    assert message.startswith(VARIABLE)
    assert "password authentication failed" in message
    assert "check user and password" in message
    assert SECRET not in message


async def test_a_database_that_is_missing_is_named(postgresql: PostgreSQL) -> None:
    message = await refusal(postgresql.url("no_such_database"))
    assert '"no_such_database" does not exist' in message
    assert "create that database" in message
    assert postgresql.password not in message


async def test_a_server_that_does_not_listen_is_said_to_be_unreachable() -> None:
    message = await refusal(f"postgres://ann:{SECRET}@127.0.0.1:{free_ports(1)[0]}/coder")
    assert message.startswith(VARIABLE)
    assert "refused" in message or "Connect call failed" in message
    assert "check host, port" in message
    assert SECRET not in message


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Who connects gets no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_a_server_that_does_not_answer_is_given_up(silent_port: int) -> None:
    message = await refusal(f"postgres://ann:{SECRET}@127.0.0.1:{silent_port}/coder?connect_timeout=1")
    assert "no answer in time" in message
    assert SECRET not in message


@pytest.mark.parametrize("sslmode", ["", "sslmode=require", "sslmode=verify-full&sslrootcert=no-such-file"])
async def test_tls_that_is_required_is_not_done_without(postgresql: PostgreSQL, sslmode: str) -> None:
    message = await refusal(postgresql.url("postgres").replace("sslmode=disable", sslmode))
    assert "SSL" in message or "No such file" in message
    assert postgresql.password not in message


@pytest.mark.parametrize("parameter", ["sslmode=maybe", "binary_parameters=yes", "port=x"])
async def test_a_parameter_that_is_unknown_or_wrong_is_refused(postgresql: PostgreSQL, parameter: str) -> None:
    url = f"postgres://postgres:{postgresql.password}@127.0.0.1:{postgresql.port}/postgres?sslmode=disable&{parameter}"
    if parameter == "port=x":
        url = url.replace(f":{postgresql.port}/", "/")
    message = await refusal(url)
    assert message.startswith(VARIABLE)
    assert postgresql.password not in message


def test_a_cause_is_one_line() -> None:
    assert cause(ValueError("first\n  second")) == "first second"
    assert cause(TimeoutError()) == "there was no answer in time"
    assert cause(ValueError()) == "ValueError"


def test_a_certificate_that_is_not_accepted_any_more_is_an_outage() -> None:
    """It is an error of the way to the server, and a ValueError all the same."""
    assert is_lost(ssl.SSLCertVerificationError(1, "certificate has expired"))
    assert not is_lost(ValueError("a value that the driver cannot send"))
