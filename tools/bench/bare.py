"""The floor for the server: Starlette and sqlite3, the same rows and the same JSON, and nothing else.

Run by `ratios` as a process, on a copy of the server's own database. It asks nobody who they are, decides nothing,
validates nothing and keeps no audit; a write is as durable as the server's.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Row = tuple[Any, ...]

_GROUP: Final = "SELECT id, name, display_name, organization_id, avatar_url, quota_allowance, source FROM groups"
_USER: Final = (
    "SELECT u.id, u.username, u.email, u.created_at, u.last_seen_at, u.status, u.login_type, u.roles, u.avatar_url"
)
_OF_GROUP: Final = f"{_USER} FROM users u JOIN group_members m ON m.user_id = u.id WHERE m.group_id = ?"
_OF_ORGANIZATION: Final = (
    f"{_USER} FROM users u JOIN organization_members m ON m.user_id = u.id WHERE m.organization_id = ?"
)
_MEMBERSHIPS: Final = "SELECT group_id, user_id FROM group_members"
_INSERT: Final = "INSERT INTO groups VALUES (:id, :organization_id, :name, '', '', 0, 'user')"


def application(path: str) -> Starlette:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-32000"):
        connection.execute(f"PRAGMA {pragma}")
    (home,) = connection.execute("SELECT id FROM organizations").fetchone()

    def shown(group_id: str) -> dict[str, Any]:
        row = connection.execute(f"{_GROUP} WHERE id = ?", (group_id,)).fetchone()
        return _group(row, [_user(user, home) for user in connection.execute(_OF_GROUP, (group_id,))])

    async def get(request: Request) -> JSONResponse:
        return JSONResponse(shown(_stored(request.path_params["group"])))

    async def create(request: Request) -> JSONResponse:
        values = {"id": uuid4().hex, "organization_id": home, "name": (await request.json())["name"]}
        with _transaction(connection):
            connection.execute(_INSERT, values)
        row = (values["id"], values["name"], "", home, "", 0, "user")
        return JSONResponse(_group(row, []), 201)

    async def patch(request: Request) -> JSONResponse:
        body, group = await request.json(), _stored(request.path_params["group"])
        with _transaction(connection):
            for field, statement in (
                ("add_users", "INSERT INTO group_members (group_id, user_id) VALUES (?, ?)"),
                ("remove_users", "DELETE FROM group_members WHERE group_id = ? AND user_id = ?"),
            ):
                connection.executemany(statement, [(group, _stored(user)) for user in body.get(field, ())])
            answer = shown(group)
        return JSONResponse(answer)

    async def listed(_: Request) -> JSONResponse:
        people = {row[0]: _user(row, home) for row in connection.execute(_OF_ORGANIZATION, (home,))}
        members: dict[str, list[Any]] = defaultdict(list, {home: list(people.values())})
        for group_id, user_id in connection.execute(_MEMBERSHIPS):
            members[group_id].append(people[user_id])
        rows = connection.execute(f"{_GROUP} WHERE organization_id = ?", (home,))
        return JSONResponse([_group(row, members.get(row[0], [])) for row in rows])

    groups = "/api/v2/organizations/default/groups"
    return Starlette(
        routes=[
            Route("/api/v2/groups/{group}", get),
            Route("/api/v2/groups/{group}", patch, methods=["PATCH"]),
            Route(groups, listed),
            Route(groups, create, methods=["POST"]),
        ]
    )


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Any:
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("COMMIT")


def _stored(identifier: str) -> str:
    return identifier.replace("-", "")


def _written(identifier: str) -> str:
    return str(UUID(identifier))


def _group(row: Row, members: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "id": _written(row[0]),
        "name": row[1],
        "display_name": row[2],
        "organization_id": _written(row[3]),
        "members": members,
        "avatar_url": row[4],
        "quota_allowance": row[5],
        "source": row[6],
    }


def _user(row: Row, home: str) -> dict[str, Any]:
    return {
        "id": _written(row[0]),
        "username": row[1],
        "email": row[2],
        "created_at": row[3],
        "last_seen_at": row[4],
        "status": "suspended" if row[5] == "suspended" else "active",
        "login_type": row[6],
        "organization_ids": [_written(home)],
        "roles": json.loads(row[7]),
        "avatar_url": row[8],
    }


def main(path: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(application(path), lifespan="off", log_config=None, access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
