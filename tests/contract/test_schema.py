"""What the OpenAPI document promises, asked of the server with generated requests: the same ones in each run.

They are an owner's, sent in process to a server on a real SQLite database. Of the path parameters some are made up,
the others lead to things that exist.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from coder_enterprise.server.routes import limits
from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.services import passwords
from coder_enterprise.server.services.all import Context, Services
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.services.files import TAR, ZIP
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.open import open_database
from tests.server.routes.test_access import BODIES
from tests.support.api import PASSWORD, SITE, People, checked, create_group, create_user
from tests.support.licenses import signed, write_keys
from tests.support.passwords import CHEAP_HASHER
from tests.support.provisioners import create_version, upload
from tests.support.proxies import create_proxy
from tests.support.storage import wait_for_no_disk
from tests.support.templates import create_template
from tools.generate import __main__ as generate

EXAMPLES: Final = 6
"""Of each operation, besides those at the edges of its parameters."""
TOKENS: Final = ("coder_session_token", "Coder-Session-Token", "Authorization")
"""Made up, they would be refused each time."""
CHECKS: Final = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    missing_required_header,
]

_numbers: Final = itertools.count(1)
_known: Final[dict[str, list[str]]] = {}
"""Values of path parameters, by name."""
_applications: Final[list[ASGIApp]] = []
"""The server in work, the last one."""


async def _served(scope: Scope, receive: Receive, send: Send) -> None:
    await _applications[-1](scope, receive, send)


api = schemathesis.openapi.from_dict(
    json.loads(next(iter(generate.openapi().values()))),
    config=SchemathesisConfig.from_dict(
        {
            "base-url": SITE,
            "generation": {"mode": "all", "database": "none"},
            "phases": {"coverage": {"unexpected-methods": []}},
        }
    ),
)
api.app = _served
for archive in (TAR, ZIP):
    schemathesis.serializer.alias(archive, "application/octet-stream")


@api.hook
def flatmap_path_parameters(_: Any, drawn: dict[str, Any] | None) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {name: st.sampled_from([*_known.get(name, ()), value]) for name, value in (drawn or {}).items()}
    )


@api.hook
def flatmap_body(context: Any, drawn: Any) -> st.SearchStrategy[Any]:
    """What was drawn, a good body, or a good one with one field of what was drawn."""
    operation = context.operation
    good = BODIES.get((operation.method.upper(), operation.path))
    if good is None or not isinstance(drawn, dict):
        return st.just(drawn)
    return st.sampled_from([drawn, good, *(good | {name: value} for name, value in drawn.items())])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("schema")
    with pytest.MonkeyPatch.context() as patch:
        wait_for_no_disk(patch)
        database = open_database(folder / "coder.db")
        patch.setattr(passwords, "HASHER", CHEAP_HASHER)
        # Most of what is tried is refused, and all of it comes from one client.
        patch.setattr(limits, "GUESS_LIMIT", sys.maxsize)
        patch.setattr(limits, "PASSWORD_LIMIT", sys.maxsize)
        people = asyncio.run(
            _start(
                database, Settings(license_keys_file=write_keys(folder / "keys.json"), scim_auth_header="Bearer key")
            )
        )
        yield people
        asyncio.run(database.close())


async def _start(database: Database, told: Settings) -> People:
    deployment = Deployment(SITE, await bootstrap(database, first_user=None, token=None), told.version)
    services = Services(Context(told, database, deployment))
    app = create_app(services)
    _applications.append(app)
    return People(services, app)


@pytest.fixture
def token(people: People) -> str:
    """Of an owner, in a world where everything that paths name is there."""
    return asyncio.run(_prepare(people))


async def _prepare(people: People) -> str:
    owner = await people.owner()
    if not (await owner.get("/licenses")).json():
        checked(await owner.post("/licenses", json={"license": signed()}))
    user = await create_user(owner, _name(), login_type="password", password=PASSWORD)
    group = await create_group(owner, _name())
    template = await create_template(owner, _name())
    proxy, _ = await create_proxy(owner, _name())
    checked(await owner.post("/users/me/keys/tokens", json={"token_name": template["name"]}))
    _known.update(
        user=[user["id"], "me"],
        group=[group["id"], template["organization_id"]],
        groupName=[group["name"], "Everyone"],
        organization=["default", template["organization_id"]],
        template=[template["id"]],
        name=[template["name"]],
        key=[template["name"]],
        file=[await upload(owner)],
        version=[(await create_version(owner))["id"]],
        workspaceproxy=[proxy["id"], "primary"],
        id=[str((await owner.get("/licenses")).json()[0]["id"])],
    )
    await people.close()
    return owner.token


def _name() -> str:
    return f"known-{next(_numbers)}"


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_server_keeps_what_its_document_promises(case: schemathesis.Case[Any], token: str) -> None:
    for generated in (case.cookies, case.headers):
        for name in TOKENS:
            generated.pop(name, None)
    case.call_and_validate(headers={"Coder-Session-Token": token}, checks=CHECKS)
