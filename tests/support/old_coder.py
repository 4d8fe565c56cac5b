"""The access control of Coder before 2.15, scripted: what it hides, and what it refuses.

Entries of dormant, suspended and deleted users and of deleted groups are kept and not shown; a change that names a
group that is gone is refused as a whole, deletions included.
"""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from tests.support.scripted import NOT_FOUND, Asked, Scripted

ORGANIZATION: Final = "0e0e0e0e-0000-4000-8000-000000000000"
TEMPLATE: Final = "7e000000-0000-4000-8000-000000000000"

Body = dict[str, Any]


class OldCoder:
    """One organization with one template, named docker."""

    def __init__(self, server: Scripted, *, documented: bool = False) -> None:
        """`documented`: it answers with the list that the page documents, which has the users alone."""
        self.server = server
        self.statuses: dict[str, str] = {}
        """Of users by id; the last four characters are the username."""
        self.groups: dict[str, str] = {ORGANIZATION: "Everyone"}
        """Names by id."""
        self.user_acl: dict[str, str] = {}
        self.group_acl: dict[str, str] = {ORGANIZATION: "use"}
        self.writes: list[Body] = []
        self._documented = documented
        template = {"id": TEMPLATE, "name": "docker", "organization_id": ORGANIZATION}
        server.answer("/organizations/default", {"id": ORGANIZATION, "name": "coder"})
        server.answer(f"/organizations/{ORGANIZATION}/templates", [template])
        server.answer(f"/organizations/{ORGANIZATION}/templates/docker", template)
        server.answer(f"/templates/{TEMPLATE}", template)
        server.reply("/users", self._list_users)
        server.reply(f"/organizations/{ORGANIZATION}/groups", self._list_groups)
        server.reply(f"/templates/{TEMPLATE}/acl", self._get_acl)
        server.reply(f"/templates/{TEMPLATE}/acl", self._patch_acl, method="PATCH")

    def put_group(self, group_id: str, name: str) -> None:
        self.groups[group_id] = name
        self.server.reply(f"/groups/{group_id}", lambda _: self._delete_group(group_id), method="DELETE")

    def _list_users(self, _: Asked) -> web.Response:
        users = [_user(key, status) for key, status in self.statuses.items()]
        return web.json_response({"users": users, "count": len(users)})

    def _list_groups(self, _: Asked) -> web.Response:
        return web.json_response([self._group(key) for key in self.groups])

    def _get_acl(self, _: Asked) -> web.Response:
        active = {key: role for key, role in self.user_acl.items() if self.statuses.get(key) == "active"}
        users = [_user(key, "active") | {"role": role} for key, role in active.items()]
        shown = {key: role for key, role in self.group_acl.items() if key in self.groups}
        group = [self._group(key) | {"role": role} for key, role in shown.items()]
        return web.json_response(users if self._documented else {"users": users, "group": group})

    def _patch_acl(self, asked: Asked) -> web.Response:
        body = json.loads(asked.body)
        self.writes.append(body)
        if not set(body.get("group_perms", {})) <= set(self.groups):
            refused = {"message": "Invalid request", "validations": [{"field": "group_perms", "detail": "gone"}]}
            return web.json_response(refused, status=400)
        for acl, sent in ((self.user_acl, "user_perms"), (self.group_acl, "group_perms")):
            acl |= body.get(sent, {})
            for key in [key for key, role in acl.items() if not role]:
                del acl[key]
        return web.json_response({"message": "Successfully updated template ACL list."})

    def _delete_group(self, group_id: str) -> web.Response:
        if self.groups.pop(group_id, None) is None:
            return web.json_response(NOT_FOUND, status=404)
        return web.json_response({"message": "Successfully deleted group!"})

    def _group(self, group_id: str) -> Body:
        return {"id": group_id, "name": self.groups[group_id], "organization_id": ORGANIZATION, "members": []}


def _user(user_id: str, status: str) -> Body:
    name = user_id[-4:]
    return {"id": user_id, "username": name, "email": f"{name}@example.com", "status": status}
