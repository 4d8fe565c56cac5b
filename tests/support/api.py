"""The API server in process: what the tests of the server send to it, and as whom."""

from __future__ import annotations

import copy
import itertools
from typing import Any, Final

import httpx2

from coder_enterprise.server.access import Actor
from coder_enterprise.server.routes.app import Application
from coder_enterprise.server.services.all import Services
from coder_enterprise.wire.authentication import LoginRequest
from coder_enterprise.wire.users import CreateFirstUserRequest, CreateUserRequest

PASSWORD: Final = "correct-Horse-7-battery"
OWNER: Final = "olivia"
SITE: Final = "http://coder.test"
UNKNOWN_ID: Final = "4fa03b2c-5d5f-4c0e-9c39-7a0e5c1d2b3a"
"""Of nothing."""

Body = dict[str, Any]

_numbers: Final = itertools.count(1)


class Client(httpx2.AsyncClient):
    """Sends requests below /api/v2, as one user or as nobody. A full URL reaches the rest of the site."""

    def __init__(self, app: Application, token: str = "", user_id: str = "") -> None:
        super().__init__(
            transport=httpx2.ASGITransport(app),
            base_url=f"{SITE}/api/v2",
            headers={"Coder-Session-Token": token} if token else {},
        )
        self.token = token
        self.user_id = user_id


class People:
    """Makes users with the services alone, and clients that are logged in as them."""

    def __init__(self, services: Services, app: Application) -> None:
        self._services = services
        self._app = app
        self._clients: list[Client] = []

    async def owner(self) -> Client:
        """The first user."""
        if not await self._services.first_users.exists():
            await self._services.first_users.create(
                CreateFirstUserRequest(username=OWNER, email=f"{OWNER}@example.com", password=PASSWORD)
            )
        return await self.log_in(OWNER)

    async def with_roles(self, *roles: str) -> Client:
        """A new user who has these site roles, logged in."""
        username = f"{'-'.join(roles) or 'member'}-{next(_numbers)}"
        actor = await self.actor(await self.owner())
        await self._services.users.create(
            actor, CreateUserRequest(username=username, email=f"{username}@example.com", password=PASSWORD)
        )
        await self._services.users.set_roles(actor, username, roles)
        return await self.log_in(username)

    async def log_in(self, username: str) -> Client:
        request = LoginRequest(email=f"{username}@example.com", password=PASSWORD)
        token = (await self._services.sessions.log_in(request)).session_token
        actor = await self._services.sessions.authenticate(token)
        return self.client(token, str(actor.id))

    async def actor(self, client: Client) -> Actor:
        """Whom the services see behind the client's token."""
        return await self._services.sessions.authenticate(client.token)

    def client(self, token: str = "", user_id: str = "") -> Client:
        """With that token; without one, nobody."""
        client = Client(self._app, token, user_id)
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


def altered(services: Services, **others: Any) -> Services:
    """The same services, but for these."""
    made = copy.copy(services)
    vars(made).update(others)
    return made


async def create_user(client: Client, username: str, **fields: Any) -> Body:
    body = {"username": username, "email": f"{username}@example.com", "login_type": "none", **fields}
    return checked(await client.post("/users", json=body))


async def create_group(client: Client, name: str, **fields: Any) -> Body:
    return checked(await client.post("/organizations/default/groups", json={"name": name, **fields}))


def checked(answer: httpx2.Response) -> Body:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    body: Body = answer.json()
    return body


def refused(answer: httpx2.Response, status: int, *fields: str) -> Body:
    """The envelope, whose validations name exactly these fields."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    body: Body = answer.json()
    assert body["message"]
    assert sorted(item["field"] for item in body.get("validations", [])) == sorted(fields)
    return body
