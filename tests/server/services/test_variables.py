"""Values of template variables at rest: encrypted with the first key, and readable with all of them."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from structlog.testing import LogCapture

from coder_enterprise.server.services import variables
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.git_ssh_keys import sealing
from coder_enterprise.server.services.variables import Undecipherable, Variables, renew
from coder_enterprise.server.settings import Settings, SettingsError, parse_encryption_keys
from coder_enterprise.server.storage import template_versions
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.server.workers.variables import VariablesWorker
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Client, checked
from tests.support.provisioners import Daemon, create_version, listening, session_of

OLD, NEW = b"o" * 32, b"n" * 32
SECRET = "correct-horse"
SENT = [{"name": "password", "value": SECRET}]
KEPT = {"name": "password", "value": SECRET, "sensitive": False}


@pytest.fixture
def keys() -> tuple[bytes, ...]:
    return (OLD,)


@pytest.fixture
def settings(settings: Settings, keys: tuple[bytes, ...]) -> Settings:
    return replace(settings, encryption_keys=keys)


@pytest.fixture
async def daemon(services: Services, owner: Client) -> AsyncIterator[Daemon]:
    async with listening(services) as address, Daemon(address, session_of(owner)) as connected:
        yield connected


@pytest.fixture
def log() -> Iterator[LogCapture]:
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield capture
    structlog.configure(**before)


async def stored(database: Database, version_id: str) -> TemplateVersion:
    found = await database.read(lambda connection: template_versions.get(connection, UUID(version_id)))
    assert found is not None
    return found


async def files_of(path: Path, database: Database) -> bytes:
    await database.read(lambda connection: None)
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


async def test_a_value_is_never_in_the_file_and_reaches_the_daemon(
    daemon: Daemon, owner: Client, database: Database, database_path: Path
) -> None:
    await create_version(owner, user_variable_values=SENT)
    order = await daemon.acquire()
    assert order.template_import.user_variable_values == [pb.VariableValue(name="password", value=SECRET)]
    declared = [
        pb.TemplateVariable(name="password", sensitive=True, required=True),
        pb.TemplateVariable(name="pin", sensitive=True, default_value="secret-default"),
    ]
    answer = await daemon.update(order, template_variables=declared)
    assert [(item.name, item.value, item.sensitive) for item in answer.variable_values] == [
        ("password", SECRET, True),
        ("pin", "secret-default", True),
    ]
    content = await files_of(database_path, database)
    assert b"password" in content
    assert SECRET.encode() not in content
    assert b"secret-default" not in content


async def test_a_job_whose_key_is_missing_fails_with_words_and_the_next_one_comes(
    daemon: Daemon, owner: Client, database: Database
) -> None:
    version = await create_version(owner, user_variable_values=SENT)
    foreign = Variables([NEW]).kept(UUID(version["id"]), [KEPT])
    await database.write(
        lambda connection: template_versions.update_fields(connection, UUID(version["id"]), {"variables": foreign})
    )
    following = await create_version(owner)
    assert (await daemon.acquire()).job_id == following["job"]["id"]
    job = checked(await owner.get(f"/templateversions/{version['id']}"))["job"]
    assert job["status"] == "failed"
    assert "'password' is encrypted with the key" in job["error"]
    assert variables.SETTING in job["error"]


class TestWithoutAKey:
    @pytest.fixture
    def keys(self) -> tuple[bytes, ...]:
        return ()

    async def test_values_are_kept_as_they_are(self, owner: Client, database: Database) -> None:
        version = await create_version(owner, user_variable_values=SENT)
        assert (await stored(database, version["id"])).variables == [KEPT]

    async def test_the_first_start_with_one_encrypts_them(
        self, owner: Client, database: Database, log: LogCapture
    ) -> None:
        version = await create_version(owner, user_variable_values=SENT)
        await VariablesWorker(database, Variables([NEW]), sealing([NEW])).run()
        (entry,) = (each for each in log.entries if "first key" in each["event"])
        assert entry["versions"] == 1
        found = await stored(database, version["id"])
        assert SECRET not in str(found.variables)
        assert Variables([NEW]).plain(found) == [KEPT]


async def test_a_new_first_key_takes_over_in_batches_and_only_once(
    owner: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variables, "BATCH", 2)
    made = [await create_version(owner, user_variable_values=SENT) for _ in range(5)]
    both = Variables([NEW, OLD])
    assert (await renew(database, both)).count == 5
    for version in made:
        assert Variables([NEW]).plain(await stored(database, version["id"])) == [KEPT]
    assert (await renew(database, both)).count == 0


async def test_what_no_key_opens_stays_and_is_told_of_without_its_value(
    owner: Client, database: Database, log: LogCapture
) -> None:
    version = await create_version(owner, user_variable_values=SENT)
    before = await stored(database, version["id"])
    await VariablesWorker(database, Variables([NEW]), sealing([NEW])).run()
    assert (await stored(database, version["id"])).variables == before.variables
    (warning,) = (each for each in log.entries if each["log_level"] == "warning")
    assert "'password' is encrypted with the key" in warning["cause"]
    assert SECRET not in str(log.entries)


async def test_a_value_in_the_place_of_another_is_not_deciphered(owner: Client, database: Database) -> None:
    first, second = [
        await stored(database, (await create_version(owner, user_variable_values=SENT))["id"]) for _ in range(2)
    ]
    with pytest.raises(Undecipherable, match="is not what was stored"):
        Variables([OLD]).plain(first._replace(variables=second.variables))


async def test_one_value_is_never_encrypted_twice_to_the_same(owner: Client, database: Database) -> None:
    version_id = UUID(int=1)
    once, again = [Variables([OLD]).kept(version_id, [KEPT])[0]["value"] for _ in range(2)]
    assert once != again


def encoded(*keys: bytes) -> str:
    return ",".join(base64.b64encode(key).decode() for key in keys)


@pytest.mark.parametrize(("text", "keys"), [("", ()), (encoded(NEW), (NEW,)), (f" {encoded(NEW, OLD)}\n", (NEW, OLD))])
def test_keys_are_read_in_their_order(text: str, keys: tuple[bytes, ...]) -> None:
    assert parse_encryption_keys(variables.SETTING, text) == keys


@pytest.mark.parametrize("wrong", ["secret", encoded(b"short"), encoded(b"l" * 33)])
def test_what_is_no_key_is_refused_by_its_place_and_not_shown(wrong: str) -> None:
    with pytest.raises(SettingsError, match=rf"{variables.SETTING}: key 2 of 2") as refused:
        parse_encryption_keys(variables.SETTING, f"{encoded(NEW)},{wrong}")
    assert wrong not in str(refused.value)
    assert encoded(NEW) not in str(refused.value)


def test_settings_do_not_show_their_keys() -> None:
    assert "nnn" not in repr(Settings(encryption_keys=(NEW,)))
