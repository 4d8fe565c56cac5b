"""The server in process, in one wire profile, with all that the calls of `data/` name, and what it answered to them.

A world is made, asked and left within one event loop, so that a session of tests makes each of them once.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx2
import pytest

from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.services import passwords
from coder_enterprise.server.services.all import Context, Services
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.open import open_database
from coder_enterprise.wire.profiles import Profile
from tests.support.api import PASSWORD, SITE, Client, People, checked
from tests.support.licenses import add_license, signed, write_keys
from tests.support.passwords import CHEAP_HASHER
from tests.support.provisioners import Daemon, build, build_template, create_workspace, listening, session_of, upload

Call = Mapping[str, Any]
"""One of a file in `data/`."""

NOBODY: Final = "nobody"
"""In place of what an earlier call should have saved, so that each call fails by itself."""
DATA: Final = Path(__file__).with_name("data")


def facts(name: str) -> dict[str, Any]:
    return tomllib.loads((DATA / name).read_text())


@dataclass
class World:
    """A context manager is `made`. `known` is what a call may write in braces."""

    profile: Profile
    client: Client
    known: dict[str, str]

    @classmethod
    @contextlib.asynccontextmanager
    async def made(cls, profile: Profile, folder: Path) -> AsyncIterator[World]:
        database = open_database(folder / f"{profile}.db")
        settings = Settings(profile=profile, license_keys_file=write_keys(folder / f"{profile}.json"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(passwords, "HASHER", CHEAP_HASHER)
            deployment = Deployment(SITE, await bootstrap(database, first_user=None, token=None), settings.version)
            services = Services(Context(settings, database, deployment))
            await add_license(database)
            await services.entitlements.refresh()
            people = People(services, create_app(services))
            async with listening(services) as address:
                owner = await people.owner()
                async with Daemon(address, session_of(owner), name="first") as daemon:
                    yield cls(profile, owner, await _prepare(owner, daemon))
            await people.close()
        await database.close()

    async def send(self, call: Call) -> httpx2.Response:
        """And remember what the call saves."""
        method, path = self.filled(call["call"]).split(" ")
        answer = await self.client.request(
            method,
            path,
            params=self.filled(call.get("query")),
            json=self.filled(call.get("body")),
            headers=self.filled(call.get("headers")),
        )
        self.client.cookies.clear()  # whoever logs in stays who they were
        for name, where in self.told(call, "saves", {}).items() if answer.is_success else ():
            found = answer.json()
            for step in where.split("."):
                found = found[step]
            self.known[name] = str(found)
        return answer

    def told(self, call: Call, name: str, default: Any) -> Any:
        """What the data say of the call, in this profile."""
        own = call.get("documented", {}) if self.profile is Profile.DOCUMENTED else {}
        return own.get(name, call.get(name, default))

    def filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return value.format_map(defaultdict(lambda: NOBODY, self.known))
        if isinstance(value, Mapping):
            return {self.filled(name): self.filled(item) for name, item in value.items()}
        return [self.filled(item) for item in value] if isinstance(value, list) else value


async def _prepare(owner: Client, daemon: Daemon) -> dict[str, str]:
    template = await build_template(owner, daemon, "docker")
    workspace = await create_workspace(owner, template, "dev")
    await build(daemon)
    return {
        "nil": str(UUID(int=0)),
        "me": owner.user_id,
        "organization": checked(await owner.get("/organizations/default"))["id"],
        "password": PASSWORD,
        "signed_license": signed(account_id="another"),
        "file": await upload(owner),
        "template": template["id"],
        "version": template["active_version_id"],
        "workspace": workspace["id"],
    }
