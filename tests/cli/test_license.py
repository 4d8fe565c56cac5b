"""`coder-enterprise license`: keys, licences, and what a licence says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from coder_enterprise.cli.main import app
from coder_enterprise.server.services.license_tokens import payload_of, read
from coder_enterprise.server.settings import read_license_keys
from tests.support.licenses import DAY, signed, write_keys

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`coder-enterprise license …` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CODER_LICENSE_KEYS_FILE", raising=False)
    return lambda *arguments, **options: CliRunner().invoke(app, ["license", *arguments], **options)


@pytest.fixture
def key(run: Run) -> None:
    """acme.pem, and keys.json with its public key."""
    assert run("keygen", "acme.pem", "--keys", "keys.json").exit_code == 0


def failed(result: Result, *causes: str) -> None:
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    for cause in causes:
        assert cause in result.stderr


def licence(run: Run, *options: str) -> dict[str, Any]:
    """What `sign` made, after it was verified."""
    result = run("sign", "--private-key", "acme.pem", *options)
    assert result.exit_code == 0, result.output
    token = result.stdout.strip()
    read(token, read_license_keys("keys", Path("keys.json")))
    return payload_of(token)


# keygen


def test_keygen_writes_a_private_key_for_its_owner_alone_and_prints_the_public_one(run: Run) -> None:
    result = run("keygen", "acme.pem", "--key-id", "acme-2026")
    assert result.exit_code == 0
    assert Path("acme.pem").stat().st_mode & 0o777 == 0o600
    assert list(json.loads(result.stdout)) == ["acme-2026"]
    assert "PRIVATE" not in result.output


@pytest.mark.usefixtures("key")
def test_keygen_adds_to_the_public_keys_and_names_a_key_after_its_file(run: Run) -> None:
    before = read_license_keys("keys", Path("keys.json"))
    assert run("keygen", "second.pem", "--keys", "keys.json").exit_code == 0
    after = read_license_keys("keys", Path("keys.json"))
    assert set(after) == {"acme", "second"}
    assert after["acme"] == before["acme"]
    assert sorted(path.name for path in Path().iterdir()) == ["acme.pem", "keys.json", "second.pem"]


@pytest.mark.usefixtures("key")
def test_keygen_never_replaces_a_private_key(run: Run) -> None:
    before = Path("acme.pem").read_bytes(), Path("keys.json").read_bytes()
    failed(run("keygen", "acme.pem", "--key-id", "other", "--keys", "keys.json"), "acme.pem exists and is not replaced")
    assert (Path("acme.pem").read_bytes(), Path("keys.json").read_bytes()) == before


@pytest.mark.usefixtures("key")
def test_keygen_never_replaces_a_public_key(run: Run) -> None:
    failed(run("keygen", "new.pem", "--key-id", "acme", "--keys", "keys.json"), "--key-id", "'acme' already")
    assert not Path("new.pem").exists()


def test_keygen_leaves_nothing_when_the_public_keys_cannot_be_used(run: Run) -> None:
    Path("keys.json").write_text("nonsense")
    failed(run("keygen", "acme.pem", "--keys", "keys.json"), "--keys: keys.json cannot be read: it is not JSON")
    failed(run("keygen", "acme.pem", "--keys", "none/keys.json"), "--keys: none/keys.json cannot be written")
    assert not Path("acme.pem").exists()


def test_keygen_names_a_folder_that_is_missing(run: Run) -> None:
    failed(run("keygen", "none/acme.pem"), "none/acme.pem cannot be written: No such file or directory")


def test_keygen_refuses_a_name_that_is_none(run: Run) -> None:
    failed(run("keygen", "acme.pem", "--key-id", "a b"), "--key-id: 'a b'")
    assert not Path("acme.pem").exists()


# sign


@pytest.mark.usefixtures("key")
def test_sign_makes_a_licence_for_a_year_from_now(run: Run) -> None:
    claims = licence(run, "--all-features", "--users", "100")
    now = time.time()
    assert abs(claims["nbf"] - now) < 60
    assert claims["license_expires"] - claims["nbf"] == 365 * DAY
    assert claims["exp"] - claims["license_expires"] == 30 * DAY
    assert (claims["version"], claims["all_features"], claims["trial"]) == (3, True, False)
    assert claims["features"] == {"user_limit": 100}


@pytest.mark.usefixtures("key")
def test_sign_says_what_its_options_say(run: Run) -> None:
    deployment = str(uuid4())
    claims = licence(
        run,
        *("--feature", "template_rbac", "--feature", "user_limit=5"),
        *("--days", "14", "--grace-days", "0", "--not-before", "2026-01-31T12:00:00+01:00", "--trial"),
        *("--account-id", "acme", "--account-type", "customer", "--deployment-id", deployment),
    )
    assert claims["features"] == {"template_rbac": 1, "user_limit": 5}
    assert claims["nbf"] == 1769857200
    assert claims["license_expires"] == claims["exp"] == 1769857200 + 14 * DAY
    assert (claims["trial"], claims["all_features"]) == (True, False)
    assert (claims["account_id"], claims["account_type"]) == ("acme", "customer")
    assert claims["deployment_ids"] == [deployment]


@pytest.mark.usefixtures("key")
def test_sign_reads_a_date_as_its_start_in_utc(run: Run) -> None:
    assert licence(run, "--all-features", "--not-before", "2026-01-31")["nbf"] == 1769817600


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("options", "causes"),
    [
        ([], ["--feature, --all-features, --users"]),
        (["--feature", "teleportation"], ["--feature", "'teleportation'", "template_rbac"]),
        (["--feature", "user_limit"], ["--feature", "user_limit=100"]),
        (["--feature", "scim=0"], ["--feature", "scim=0"]),
        (["--feature", "scim=x"], ["--feature", "scim=x"]),
        (["--feature", f"user_limit={2**31}"], ["--feature", "2147483647"]),
        (["--users", "0"], ["--users"]),
        (["--all-features", "--days", "0"], ["--days"]),
        (["--all-features", "--days", "x"], ["--days"]),
        (["--all-features", "--grace-days", "-1"], ["--grace-days"]),
        (["--all-features", "--not-before", "soon"], ["--not-before", "'soon'"]),
        (["--all-features", "--not-before", "9999-12-01"], ["--days", "9999"]),
        (["--all-features", "--deployment-id", "x"], ["--deployment-id"]),
        (["--all-features", "--private-key", "none.pem"], ["--private-key", "No such file"]),
        (["--all-features", "--private-key", "keys.json"], ["--private-key", "no Ed25519 private key"]),
        (["--all-features", "--key-id", "ä"], ["--key-id"]),
    ],
)
def test_sign_names_the_option_that_is_wrong(run: Run, options: list[str], causes: list[str]) -> None:
    result = run("sign", "--private-key", "acme.pem", *options)
    failed(result, *causes)
    assert result.stdout == ""


# inspect


def inspect(run: Run, token: str, *options: str) -> Result:
    Path("license.jwt").write_text(token)
    return run("inspect", "license.jwt", *options)


def test_inspect_shows_the_claims_and_that_they_verify(run: Run) -> None:
    write_keys(Path("keys.json"))
    result = inspect(run, signed(account_id="acme"), "--keys", "keys.json")
    assert result.exit_code == 0
    for text in ('"account_id": "acme"', "matches a key of keys.json", "valid until", "all features, user_limit=1000"):
        assert text in result.stdout


def test_inspect_reads_standard_input_and_says_when_nothing_was_checked(run: Run) -> None:
    result = run("inspect", input=f"{signed()}\n")
    assert result.exit_code == 0
    assert "not checked; give --keys" in result.stdout


def test_inspect_takes_the_keys_from_the_servers_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_LICENSE_KEYS_FILE", str(write_keys(Path("keys.json"))))
    assert "matches a key" in run("inspect", input=signed()).stdout


@pytest.mark.parametrize(
    ("times", "state", "code"),
    [
        ({"nbf": DAY}, "not valid before", 0),
        ({"license_expires": -DAY}, "in its grace period since", 0),
        ({"license_expires": -2 * DAY, "exp": -DAY}, "expired at", 1),
    ],
)
def test_inspect_says_where_in_its_life_a_licence_is(run: Run, times: dict[str, int], state: str, code: int) -> None:
    write_keys(Path("keys.json"))
    now = int(time.time())
    result = inspect(run, signed(**{name: now + value for name, value in times.items()}), "--keys", "keys.json")
    assert state in result.stdout
    assert result.exit_code == code


@pytest.mark.usefixtures("key")
def test_inspect_fails_for_a_licence_that_does_not_verify(run: Run) -> None:
    failed(inspect(run, signed(), "--keys", "keys.json"), "key 'test', which is not trusted here; trusted: acme")
    failed(inspect(run, signed(version=2), "--keys", str(write_keys(Path("test.json")))), "version that is not 3")
    failed(inspect(run, signed(version=2)), "version that is not 3")


def test_inspect_fails_for_what_is_no_licence(run: Run) -> None:
    failed(inspect(run, "nonsense"), "license.jwt: the licence cannot be decoded")
    failed(inspect(run, " \n"), "license.jwt is empty")
    failed(run("inspect", "none.jwt"), "FILE: none.jwt cannot be read: No such file")
    failed(inspect(run, signed(), "--keys", "none.json"), "--keys: none.json cannot be read")
    Path("binary").write_bytes(b"\xff\xfe\x00")
    failed(run("inspect", "binary"), "it is not text")


@pytest.mark.parametrize("command", ["keygen", "sign", "inspect"])
def test_each_command_explains_itself_with_examples(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"coder-enterprise license {command}" in result.stdout
