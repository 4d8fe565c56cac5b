"""The licence that the server makes for itself."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from coder_enterprise.server.services.development_license import KEY_ID, development_keys
from coder_enterprise.server.services.entitlements import Entitlements
from coder_enterprise.server.storage import licenses
from coder_enterprise.server.storage.database import Database
from coder_enterprise.wire.entitlements import LIMITS

DEPLOYMENT = uuid4()


async def entitlements(database: Database, keys: dict[str, bytes], deployment_id: UUID = DEPLOYMENT) -> Entitlements:
    made = Entitlements(database, keys, deployment_id)
    await made.refresh()
    return made


async def test_everything_is_entitled_and_nothing_is_to_be_warned_of(database: Database) -> None:
    keys = await development_keys(database, DEPLOYMENT, wanted=True)
    found = (await entitlements(database, keys)).current
    missing = {name for name, state in found.features.items() if state.entitlement == "not_entitled"}
    assert missing == LIMITS  # it limits nothing
    assert (found.errors, found.warnings, found.trial) == ([], [], False)


async def test_the_next_start_and_other_replicas_have_the_same_one(database: Database) -> None:
    keys = await development_keys(database, DEPLOYMENT, wanted=True)
    assert await development_keys(database, DEPLOYMENT, wanted=True) == keys
    assert len(await database.read(licenses.all_of)) == 1


async def test_another_deployment_cannot_use_it(database: Database) -> None:
    keys = await development_keys(database, DEPLOYMENT, wanted=True)
    found = (await entitlements(database, keys, uuid4())).current
    assert not found.has_license


async def test_whoever_removes_it_has_removed_it(database: Database) -> None:
    await development_keys(database, DEPLOYMENT, wanted=True)
    (row,) = await database.read(licenses.all_of)
    await database.write(lambda connection: licenses.remove(connection, row.id))
    await development_keys(database, DEPLOYMENT, wanted=True)
    assert await database.read(licenses.all_of) == []


@pytest.mark.parametrize("there", [True, False])
async def test_it_goes_with_the_setting_and_comes_back_with_another_key(database: Database, there: bool) -> None:
    before = await development_keys(database, DEPLOYMENT, wanted=True)
    if not there:
        (row,) = await database.read(licenses.all_of)
        await database.write(lambda connection: licenses.remove(connection, row.id))
    assert await development_keys(database, DEPLOYMENT, wanted=False) == {}
    assert await database.read(licenses.all_of) == []
    assert (await development_keys(database, DEPLOYMENT, wanted=True))[KEY_ID] != before[KEY_ID]


async def test_without_the_setting_nothing_is_made(database: Database) -> None:
    assert await development_keys(database, DEPLOYMENT, wanted=False) == {}
    assert await database.read(licenses.all_of) == []
