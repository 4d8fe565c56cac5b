"""`coder-enterprise server`: each setting that cannot be used ends it with 1 and one line that names the variable."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coder_enterprise.cli.main import app
from coder_enterprise.cli.server import run
from coder_enterprise.server.settings import Settings, parse_access_url

PASSWORD = "correct-Horse-7-battery"
TOKEN = "0123456789-0123456789012345678901"
FIRST_USER = {
    "CODER_FIRST_USER_USERNAME": "admin",
    "CODER_FIRST_USER_EMAIL": "admin@example.com",
    "CODER_FIRST_USER_PASSWORD": PASSWORD,
}


async def no_server(*_: object, **__: object) -> None:
    """Instead of one that would serve until the end of time, when it should have been refused."""
    raise AssertionError("it was not refused")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the person who runs the tests, and no change of the logging of all other tests."""
    for name in os.environ:
        if name.startswith("CODER_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("coder_enterprise.cli.logs.configure", lambda: None)
    monkeypatch.setattr("uvicorn.Server.serve", no_server)


def refused(folder: Path, *options: str, **environment: str) -> str:
    """The line that a server with these settings ends with."""
    settings = {"CODER_HTTP_ADDRESS": "127.0.0.1:0", "CODER_SQLITE_PATH": str(folder / "coder.db")}
    with ThreadPoolExecutor(1) as pool:  # its event loop must not replace that of pytest
        ended = pool.submit(CliRunner().invoke, app, ["server", *options], env={**settings, **environment}).result()
    assert (ended.exit_code, ended.stdout) == (1, ""), ended.output
    (line,) = ended.stderr.splitlines()
    assert line.startswith("coder-enterprise server: ")
    return line


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1",
        "127.0.0.1:port",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:²",
        "127.0.0.1:" + "9" * 5000,
        "[]:3000",
    ],
)
def test_a_bad_address_is_refused(tmp_path: Path, address: str) -> None:
    line = refused(tmp_path, "--http-address", address)
    assert "CODER_HTTP_ADDRESS" in line
    assert "127.0.0.1:3000" in line  # an example


@pytest.mark.parametrize(
    "url", ["coder.example.com", "ftp://coder.example.com", "https://", "http://[::1", "https://x\n", "https://\udcff"]
)
def test_an_access_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    line = refused(tmp_path, CODER_ACCESS_URL=url)
    assert "CODER_ACCESS_URL" in line
    assert "https://coder.example.com" in line  # an example


@pytest.mark.parametrize("url", ["https://coder.example.com/", "http://[::1]:3000", "https://x/coder", ""])
def test_an_access_url_loses_the_slash_at_its_end(url: str) -> None:
    assert parse_access_url(url) == url.rstrip("/")


@pytest.mark.parametrize("address", ["192.0.2.1:0", "[::1%nowhere]:0"])
def test_an_address_that_is_not_this_machines_is_refused(tmp_path: Path, address: str) -> None:
    assert "CODER_HTTP_ADDRESS: cannot listen on" in refused(tmp_path, CODER_HTTP_ADDRESS=address)


@pytest.mark.parametrize("content", [b"", b"secret-content", TOKEN.encode() + b"x", b"\xff\xfe secret-content"])
def test_a_bad_token_file_is_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    line = refused(tmp_path, CODER_BOOTSTRAP_TOKEN_FILE=str(file), **FIRST_USER)
    assert "CODER_BOOTSTRAP_TOKEN_FILE" in line
    assert "secret-content" not in line
    assert TOKEN not in line


def test_a_token_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    line = refused(tmp_path, CODER_BOOTSTRAP_TOKEN_FILE=str(tmp_path / "missing"), **FIRST_USER)
    assert "CODER_BOOTSTRAP_TOKEN_FILE" in line


def test_a_token_without_an_owner_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    line = refused(tmp_path, CODER_BOOTSTRAP_TOKEN_FILE=str(file))
    assert "CODER_BOOTSTRAP_TOKEN_FILE" in line
    assert TOKEN not in line


@pytest.mark.parametrize("missing", sorted(FIRST_USER))
def test_a_part_of_a_first_user_is_refused_and_the_missing_one_named(tmp_path: Path, missing: str) -> None:
    line = refused(tmp_path, **{name: value for name, value in FIRST_USER.items() if name != missing})
    assert missing in line
    assert PASSWORD not in line


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("CODER_FIRST_USER_USERNAME", "a b", "username"),
        ("CODER_FIRST_USER_EMAIL", "nobody", "email"),
        ("CODER_FIRST_USER_PASSWORD", "weak", "password"),
    ],
)
def test_a_first_user_who_breaks_a_rule_is_refused(tmp_path: Path, name: str, value: str, word: str) -> None:
    line = refused(tmp_path, **FIRST_USER | {name: value})
    assert "CODER_FIRST_USER_" in line
    assert word in line


@pytest.mark.parametrize("name", sorted(FIRST_USER))
def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path, name: str) -> None:
    line = refused(tmp_path, **FIRST_USER | {name: os.fsdecode(b"secret-content-7A\xff")})
    assert name in line
    assert "secret-content" not in line


@pytest.mark.parametrize("path", ["missing/coder.db", "file/coder.db", "."])
def test_a_database_that_cannot_be_written_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    assert "CODER_SQLITE_PATH" in refused(tmp_path, CODER_SQLITE_PATH=str(tmp_path / path))


def test_an_address_of_the_metrics_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    line = refused(tmp_path, CODER_PROMETHEUS_ENABLE="true", CODER_PROMETHEUS_ADDRESS="nowhere")
    assert "CODER_PROMETHEUS_ADDRESS" in line


def test_tls_without_its_files_is_refused(tmp_path: Path) -> None:
    assert "CODER_TLS_KEY_FILE: needed" in refused(tmp_path, CODER_TLS_ENABLE="true", CODER_TLS_CERT_FILE="tls.crt")


def test_a_certificate_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    line = refused(tmp_path, "--tls-enable", "--tls-cert-file", "none.crt", "--tls-key-file", "none.key")
    assert "CODER_TLS_CERT_FILE: none.crt cannot be read" in line


def test_an_empty_path_is_refused(tmp_path: Path) -> None:
    assert "CODER_SQLITE_PATH" in refused(tmp_path, "--sqlite-path", "")


def test_two_databases_are_refused_without_the_password_of_one(tmp_path: Path) -> None:
    line = refused(tmp_path, CODER_PG_CONNECTION_URL="postgres://user:secret-content@127.0.0.1/coder")
    assert "CODER_PG_CONNECTION_URL" in line
    assert "secret-content" not in line


def test_help_shows_examples_and_every_variable() -> None:
    ended = CliRunner().invoke(app, ["server", "--help"])
    assert ended.exit_code == 0
    shown = " ".join(ended.stdout.split())
    assert "Examples:" in shown
    assert "coder-enterprise server --http-address" in shown
    for name in ("HTTP_ADDRESS", "ACCESS_URL", "SQLITE_PATH", "BOOTSTRAP_TOKEN_FILE"):
        assert f"CODER_{name}" in shown
    for name in FIRST_USER:
        assert name in shown


def test_no_option_takes_a_password_or_a_key() -> None:
    """Options are visible to everybody on the machine."""
    assert not [name for name in run.__annotations__ if "password" in name or "scim" in name]


def test_the_key_of_an_identity_provider_is_the_variable_without_the_end_of_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[Settings] = []

    async def keep(settings: Settings, *_: object) -> None:
        kept.append(settings)

    monkeypatch.setattr("coder_enterprise.server.run.serve", keep)
    with ThreadPoolExecutor(1) as pool:
        environment = {"CODER_SCIM_AUTH_HEADER": "a-key\n"}
        ended = pool.submit(CliRunner().invoke, app, ["server"], env=environment).result()
    assert ended.exit_code == 0
    assert [settings.scim_auth_header for settings in kept] == ["a-key"]
