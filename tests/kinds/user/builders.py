"""Users as they are declared and as Coder has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter

from coder_enterprise.client import records
from coder_enterprise.client.http import API
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.user import UserKind, UserSpec
from coder_enterprise.kinds.user.find import ObservedUser
from tests.support.scripted import Asked, Reply, Scripted

KIND: Final = UserKind()
USER: Final = TypeAdapter(records.User)
ANN: Final = "a0000000-0000-4000-8000-000000000000"
BOB: Final = "b0000000-0000-4000-8000-000000000000"
ORGANIZATION: Final = "0e0e0e0e-0000-4000-8000-000000000000"
BERLIN: Final = "CRON_TZ=Europe/Berlin 30 2 * * *"
UNKNOWN: Final = {"message": "User not found or you do not have access to this user."}
SCIM_KEY: Final = "the-key-of-scim"
Body = dict[str, Any]


def spec(**fields: Any) -> UserSpec:
    return UserSpec.model_validate({"email": "ann@example.com"} | fields)


def user(**fields: Any) -> records.User:
    known = {"id": ANN, "username": "ann", "email": "ann@example.com", "login_type": "oidc", "name": ""}
    roles = {"roles": [{"name": name} for name in fields.pop("roles", ())]}
    return USER.validate_python(known | roles | fields)


def observed(found: records.User | None = None, **fields: Any) -> ObservedUser:
    known: Body = {"external_id": found.id if found else None, "fresh": True, "username": "ann", "user": found}
    return ObservedUser(**(known | {"resource": resource()} | fields))


def plan(desired: UserSpec, seen: ObservedUser, recorded: Mapping[str, Any] | None = None) -> list[str]:
    return [str(change) for change in KIND.plan(desired, seen, recorded or {})]


def resource(status: Body | None = None, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "ann", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body("CoderUser", {"metadata": metadata, "spec": declared, "status": status or {}})


class People:
    """Coder's users as far as the kind asks for them: ids also find the deleted, names do not."""

    def __init__(self, server: Scripted, *, named: bool = True) -> None:
        self.server = server
        self.named = named
        self.users: dict[str, Body] = {}
        self.deleted: set[str] = set()
        self.put("me-id", "operator", roles=["owner"])
        server.answer("/organizations/default", {"id": ORGANIZATION, "name": "coder"})
        server.reply("/users", lambda _: web.json_response({"users": self.living, "count": len(self.living)}))
        server.reply("/users", self._create, method="POST")
        server.reply("/users/ann", self._get)
        server.reply("/users/me", lambda _: web.json_response(self.users["me-id"]))

    @property
    def living(self) -> list[Body]:
        return [found for found in self.users.values() if found["id"] not in self.deleted]

    def put(self, user_id: str, username: str, **fields: Any) -> None:
        known = {"id": user_id, "username": username, "email": f"{username}@example.com", "status": "active"}
        roles = [{"name": name} for name in fields.pop("roles", ())]
        self.users[user_id] = {**known, "login_type": "oidc", "name": "", "roles": roles, **fields}
        for reference in (user_id, username):
            self.server.reply(f"/users/{reference}", self._get)
        for what, reply in self._writes().items():
            self.server.reply(f"/users/{user_id}/{what}", reply, method="PUT")
        self.server.reply(f"/users/{user_id}", self._delete, method="DELETE")

    def _get(self, asked: Asked) -> web.Response:
        reference = asked.path.rpartition("/")[2]
        found = self.users.get(reference) or next((u for u in self.living if u["username"] == reference), None)
        return self._answer(found) if found else web.json_response(UNKNOWN, status=400)

    def _answer(self, found: Body, status: int = 200) -> web.Response:
        shown = {key: value for key, value in found.items() if key != "name" or self.named}
        return web.json_response(shown, status=status)

    def _create(self, asked: Asked) -> web.Response:
        body = json.loads(asked.body)
        self.put(ANN, body["username"], email=body["email"], name=body.get("name", ""), status="dormant")
        return self._answer(self.users[ANN], 201)

    def _delete(self, asked: Asked) -> web.Response:
        self.deleted.add(asked.path.rpartition("/")[2])
        return web.json_response({"message": "User has been deleted!"})

    def _writes(self) -> dict[str, Reply]:
        def change(asked: Asked) -> web.Response:
            _, user_id, what = asked.path.removeprefix(API + "/").split("/", 2)
            found, body = self.users[user_id], json.loads(asked.body or "{}")
            if what == "profile":
                found |= {"username": body["username"], "name": body.get("name", "")}
                self.server.reply(f"/users/{found['username']}", self._get)
            elif what == "roles":
                found["roles"] = [{"name": name} for name in body["roles"]]
            else:
                found["status"] = {"status/suspend": "suspended", "status/activate": "active"}[what]
            return self._answer(found)

        return dict.fromkeys(("profile", "roles", "status/suspend", "status/activate"), change)

    def writes(self) -> list[str]:
        return [
            f"{asked.method} {asked.path.removeprefix(API)} {asked.body}".strip()
            for asked in self.server.asked
            if asked.method != "GET"
        ]


async def reconcile(context: Context, recorded: str | None = None, **declared: Any) -> ObservedUser:
    """From a fresh look to what is there then."""
    desired, status = spec(**declared), {"id": recorded} if recorded else {}
    seen = await KIND.observe(context, resource(status), desired, fresh=True)
    changes = KIND.plan(desired, seen, status)
    return await KIND.apply(context, desired, seen, changes) if changes else seen


async def look(context: Context, *, fresh: bool, recorded: str | None = None, **declared: Any) -> ObservedUser:
    return await KIND.observe(context, resource({"id": recorded} if recorded else {}), spec(**declared), fresh=fresh)


def hours(schedule: str = "CRON_TZ=UTC 0 0 * * *", **fields: Any) -> Body:
    return {"raw_schedule": schedule, "user_set": False, "timezone": "UTC", "time": "00:00"} | fields


def answer_scim(server: Scripted, people: People, method: str = "PATCH", path: str = f"/Users/{ANN}") -> None:
    def reply(asked: Asked) -> web.Response:
        body = json.loads(asked.body)
        if method == "POST":
            people.put(ANN, body["userName"], email=body["emails"][0]["value"], status="dormant")
        else:
            people.users[ANN]["status"] = "active" if body["active"] else "suspended"
        return web.json_response({**body, "id": ANN})

    server.reply(path, reply, method=method, root="/scim/v2")
