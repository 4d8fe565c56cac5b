"""What tests do with workspace proxies: create them, and register as one."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import httpx2

from coder_enterprise.wire.buildinfo import VERSION
from tests.support.api import Body, Client, checked

TOKEN_HEADER: Final = "Coder-Workspace-Proxy-Token"
PROXY_AUTHENTICATION: Final = "Coder-External-Proxy-Token"


async def create_proxy(client: Client, name: str, **fields: Any) -> tuple[Body, str]:
    """The proxy, and its token."""
    answer = await client.post("/workspaceproxies", json={"name": name, **fields})
    return checked(answer), answer.headers[TOKEN_HEADER]


async def register(client: Client, token: str, **fields: Any) -> httpx2.Response:
    """As a proxy that does everything right, but for these fields."""
    body = {
        "access_url": "https://eu.example.com",
        "wildcard_hostname": "",
        "derp_enabled": False,
        "derp_only": False,
        "replica_id": str(uuid4()),
        "hostname": "eu-0",
        "replica_error": "",
        "replica_relay_address": "",
        "version": VERSION,
    }
    return await client.post("/workspaceproxies/me/register", json=body | fields, headers={PROXY_AUTHENTICATION: token})


async def deregister(client: Client, token: str, replica_id: object) -> httpx2.Response:
    return await client.post(
        "/workspaceproxies/me/deregister", json={"replica_id": replica_id}, headers={PROXY_AUTHENTICATION: token}
    )
