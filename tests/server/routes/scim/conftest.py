"""The server with a key for an identity provider, and a client that has the key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import httpx2
import pytest

from coder_enterprise.server.routes.app import Application
from coder_enterprise.server.settings import Settings
from tests.support.api import SITE, Body

KEY: Final = "a-key-of-the-identity-provider"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, scim_auth_header=KEY)


@pytest.fixture
async def scim(app: Application) -> AsyncIterator[httpx2.AsyncClient]:
    """The identity provider, at /scim/v2."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=f"{SITE}/scim/v2", headers={"Authorization": f"Bearer {KEY}"}
    ) as client:
        yield client


def person(user_name: str = "ann@example.com", **fields: object) -> Body:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": user_name,
        "emails": [{"value": user_name, "type": "work", "primary": True}],
        "active": True,
        **fields,
    }


def operations(*items: Body) -> Body:
    return {"schemas": [PATCH_OP], "Operations": list(items)}


async def made(scim: httpx2.AsyncClient, user_name: str = "ann@example.com", **fields: object) -> Body:
    answer = await scim.post("/Users", json=person(user_name, **fields))
    assert answer.status_code == 201, answer.text
    body: Body = answer.json()
    return body


def scim_refused(answer: httpx2.Response, status: int, kind: str | None = None) -> str:
    """As RFC 7644 says it; the detail."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["Content-Type"] == "application/scim+json"
    body: Body = answer.json()
    assert (body["schemas"], body["status"], body.get("scimType")) == ([ERROR], str(status), kind)
    detail: str = body["detail"]
    assert detail
    return detail
