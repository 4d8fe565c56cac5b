"""`coder-enterprise server backup`, `restore`, `reset-password` and `create-owner`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coder_enterprise.cli.main import app
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.settings import FirstUser
from coder_enterprise.server.storage.open import open_database
from coder_enterprise.wire.authentication import LoginRequest
from tests.support.api import OWNER, PASSWORD

ANOTHER = "another-Horse-8-battery"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a database with an owner; the settings name it."""
    path = tmp_path / "coder.db"

    async def make() -> None:
        database = open_database(path)
        await bootstrap(database, FirstUser(OWNER, f"{OWNER}@example.com", PASSWORD), None)
        await database.close()

    asyncio.run(make())
    monkeypatch.setenv("CODER_SQLITE_PATH", str(path))
    monkeypatch.delenv("CODER_PG_CONNECTION_URL", raising=False)
    return path


def run(*arguments: str, stdin: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["server", *arguments], input=stdin)
    return result.exit_code, result.output


def logs_in(path: Path, email: str, password: str) -> bool:
    async def log_in() -> bool:
        database = open_database(path)
        try:
            return bool(await Sessions(database).log_in(LoginRequest(email=email, password=password)))
        finally:
            await database.close()

    return asyncio.run(log_in())


def test_a_backup_is_made_and_restored(path: Path, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.db")
    assert run("backup", copy) == (0, f"{path} is copied to {copy}\n")
    status, output = run("restore", copy)
    assert status == 0
    assert "kept as" in output


@pytest.mark.parametrize("user", [OWNER, f"{OWNER}@example.com"])
def test_a_password_is_reset(path: Path, user: str) -> None:
    assert run("reset-password", user, stdin=f"{ANOTHER}\n") == (0, f"{OWNER} has a new password\n")
    assert logs_in(path, f"{OWNER}@example.com", ANOTHER)


def test_an_owner_is_made(path: Path) -> None:
    assert run("create-owner", "rescuer", "rescuer@example.com", stdin=f"{ANOTHER}\n") == (0, "rescuer is an owner\n")
    assert logs_in(path, "rescuer@example.com", ANOTHER)


@pytest.mark.parametrize(
    ("arguments", "stdin", "cause"),
    [
        (("reset-password", "nobody"), ANOTHER, "There is no user 'nobody'"),
        (("reset-password", OWNER), "weak", "The password is too weak"),
        (("reset-password", OWNER), "", "The password is required"),
        (("create-owner", OWNER, "new@example.com"), ANOTHER, "exists already"),
        (("create-owner", "new", "nonsense"), ANOTHER, "email is required"),
        (("backup", "/nowhere/copy.db"), "", "/nowhere/copy.db cannot be written"),
    ],
)
@pytest.mark.usefixtures("path")
def test_what_cannot_be_done_is_one_line_with_the_cause(arguments: tuple[str, ...], stdin: str, cause: str) -> None:
    status, output = run(*arguments, stdin=stdin)
    assert (status, output.count("\n")) == (1, 1)
    assert cause in output


def test_postgresql_has_programs_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_PG_CONNECTION_URL", "postgres://x")
    assert "use pg_dump" in run("backup", f"{path}.copy")[1]
    assert "use pg_restore" in run("restore", f"{path}.copy")[1]
