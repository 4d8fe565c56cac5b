"""Fixtures for the server in process: a real database, the application, and clients with roles.

A test that needs another database, other settings or another licence replaces `database`, `settings` or
`license_claims`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from coder_enterprise.server.routes.app import Application, create_app
from coder_enterprise.server.services import passwords
from coder_enterprise.server.services.all import Context, Services
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage import sqlite
from coder_enterprise.server.storage.database import Database
from tests.support.api import SITE, Client, People
from tests.support.licenses import Claims, add_license, write_keys
from tests.support.migrated import write_migrated
from tests.support.passwords import CHEAP_HASHER
from tests.support.storage import wait_for_no_disk


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Every write is logged, and only what is worse is of interest to most tests."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.configure(**before)


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    return tmp_path / "coder.db"


@pytest.fixture
async def database(database_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """Real, migrated, and empty. Only that it is migrated is not looked at again, as a server does when it opens it."""
    wait_for_no_disk(monkeypatch)
    write_migrated(database_path)
    opened = sqlite.SQLiteDatabase(database_path, sqlite.lock(database_path))
    yield opened
    await opened.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(license_keys_file=write_keys(tmp_path / "license-keys.json"))


@pytest.fixture
def license_claims() -> Claims | None:
    """Of the licence that is there from the start: everything. None is no licence."""
    return {}


@pytest.fixture
async def services(
    database: Database, settings: Settings, license_claims: Claims | None, monkeypatch: pytest.MonkeyPatch
) -> Services:
    """As at a first start without a first user. Hashes of passwords are cheap; nothing else differs."""
    monkeypatch.setattr(passwords, "HASHER", CHEAP_HASHER)
    deployment = Deployment(SITE, await bootstrap(database, first_user=None, token=None), settings.version)
    made = Services(Context(settings, database, deployment))
    if license_claims is not None:
        await add_license(database, **license_claims)
    await made.entitlements.refresh()
    return made


@pytest.fixture
def app(services: Services) -> Application:
    return create_app(services)


@pytest.fixture
async def people(services: Services, app: Application) -> AsyncIterator[People]:
    """The factory of clients: `await people.with_roles("auditor")`."""
    made = People(services, app)
    yield made
    await made.close()


@pytest.fixture
def nobody(people: People) -> Client:
    """Without a token."""
    return people.client()


@pytest.fixture
async def owner(people: People) -> Client:
    return await people.owner()


@pytest.fixture
async def user_admin(people: People) -> Client:
    return await people.with_roles("user-admin")


@pytest.fixture
async def template_admin(people: People) -> Client:
    return await people.with_roles("template-admin")


@pytest.fixture
async def auditor(people: People) -> Client:
    return await people.with_roles("auditor")


@pytest.fixture
async def member(people: People) -> Client:
    return await people.with_roles()
