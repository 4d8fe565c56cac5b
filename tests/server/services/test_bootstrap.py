"""What a start makes of its settings: the first owner, and whose the token of the settings is."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from coder_enterprise.server.services import passwords
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.session_tokens import new_token
from coder_enterprise.server.settings import FirstUser, SettingsError
from coder_enterprise.server.storage.database import Database
from tests.support.api import OWNER, PASSWORD, Client, People, checked, create_user, refused

SETTINGS = FirstUser(OWNER, f"{OWNER}@example.com", PASSWORD)
TOKEN = new_token()


async def start(database: Database, settings: FirstUser | None = SETTINGS) -> str:
    """Another start with these settings; what it warned of."""
    with capture_logs() as logs:
        await bootstrap(database, settings, TOKEN)
    return "; ".join(entry["cause"] for entry in logs)


async def whose(people: People, services: Services) -> str:
    await services.sessions.forget()
    name: str = checked(await people.client(TOKEN).get("/users/me"))["username"]
    return name


@pytest.mark.parametrize("named", [SETTINGS, None], ids=["named", "unnamed"])
async def test_an_owner_who_is_renamed_keeps_the_token(
    owner: Client, people: People, services: Services, database: Database, named: FirstUser | None
) -> None:
    await start(database, named)
    checked(await owner.put("/users/me/profile", json={"username": "zoe"}))
    for name in ("ann", OWNER):  # one who would come first, and one who took the name
        user = await create_user(owner, name, email=f"{name}-2@example.com")
        checked(await owner.put(f"/users/{user['id']}/roles", json={"roles": ["owner"]}))
    assert await start(database, named) == ""
    assert await whose(people, services) == "zoe"


async def test_an_owner_who_is_demoted_keeps_the_token_and_the_start_warns(
    owner: Client, people: People, services: Services, database: Database
) -> None:
    await start(database)
    other = await people.with_roles("owner")
    checked(await other.put(f"/users/{owner.user_id}/roles", json={"roles": []}))
    warning = await start(database)
    assert "'olivia', whom it belongs to" in warning
    assert "CODER_FIRST_USER_USERNAME" in warning
    assert await whose(people, services) == OWNER


async def test_the_token_of_an_owner_who_is_deleted_opens_nothing_and_the_start_warns(
    owner: Client, people: People, services: Services, database: Database
) -> None:
    await start(database)
    other = await people.with_roles("owner")
    checked(await other.delete(f"/users/{owner.user_id}"))
    assert "It opens nothing" in await start(database)
    await services.sessions.forget()
    refused(await people.client(TOKEN).get("/users/me"), 401)


async def test_a_new_owner_of_the_name_in_the_settings_gets_the_token_of_one_who_is_deleted(
    owner: Client, people: People, services: Services, database: Database
) -> None:
    await start(database)
    other = await people.with_roles("owner")
    checked(await other.delete(f"/users/{owner.user_id}"))
    user = await create_user(other, OWNER)
    checked(await other.put(f"/users/{user['id']}/roles", json={"roles": ["owner"]}))
    assert await start(database) == ""
    await services.sessions.forget()
    assert checked(await people.client(TOKEN).get("/users/me"))["id"] == user["id"]


async def test_another_name_in_the_settings_moves_the_token_to_an_owner_and_to_nobody_else(
    owner: Client, people: People, services: Services, database: Database
) -> None:
    await start(database)
    ann = await create_user(owner, "ann")
    settings = FirstUser("ann", "ann@example.com", PASSWORD)
    assert "who is no owner" in await start(database, settings)
    assert await whose(people, services) == OWNER
    checked(await owner.put(f"/users/{ann['id']}/roles", json={"roles": ["owner"]}))
    assert await start(database, settings) == ""
    assert await whose(people, services) == "ann"


async def test_a_token_from_before_ids_were_noted_stays_with_its_owner(
    owner: Client, people: People, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("coder_enterprise.server.services.bootstrap.SETTING", "forgotten")
        await start(database)
    checked(await owner.put("/users/me/profile", json={"username": "zoe"}))
    assert await start(database) == ""
    assert await whose(people, services) == "zoe"


@pytest.mark.usefixtures("owner")
async def test_a_password_that_is_not_used_any_more_is_neither_checked_nor_hashed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(password: str) -> str:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr(passwords, "hash_password", fail)
    assert await start(database, FirstUser(OWNER, f"{OWNER}@example.com", "weak")) == ""


async def test_a_first_owner_with_a_weak_password_stops_the_first_start(services: Services, database: Database) -> None:
    with pytest.raises(SettingsError, match="password is too weak"):
        await bootstrap(database, FirstUser(OWNER, f"{OWNER}@example.com", "weak"), None)


async def test_a_start_that_can_serve_does_so_without_anybody_for_the_token(
    owner: Client, people: People, database: Database
) -> None:
    checked(await owner.get("/users/me"))
    assert "It opens nothing" in await start(database, FirstUser("nobody", "nobody@example.com", PASSWORD))
    refused(await people.client(TOKEN).get("/users/me"), 401)
