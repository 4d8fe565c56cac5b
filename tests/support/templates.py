"""Templates and their permissions, for the tests of the server."""

from __future__ import annotations

from typing import Any

from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.services.all import Services
from coder_enterprise.wire.profiles import Profile
from tests.support.api import Body, Client, altered, checked


async def create_template(client: Client, name: str, **fields: Any) -> Body:
    return checked(await client.post("/organizations/default/templates", json={"name": name, **fields}))


async def create_private_template(client: Client, name: str) -> Body:
    """That Everyone has no role on."""
    return await create_template(client, name, disable_everyone_group_access=True)


async def grant(client: Client, template: Body, *, users: Body | None = None, groups: Body | None = None) -> None:
    """Roles by id."""
    body = {"user_perms": users or {}, "group_perms": groups or {}}
    checked(await client.patch(f"/templates/{template['id']}/acl", json=body))


def as_the_sdk(services: Services, client: Client) -> Client:
    """The same caller, of a server with the profile `codersdk`."""
    app = create_app(altered(services, profile=Profile.CODERSDK))
    return Client(app, client.token, client.user_id)
