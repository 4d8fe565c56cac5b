"""What people do in Coder behind the operator's back: plain HTTP, so that none of its code is trusted.

Used by the demo and the tests.
"""

from __future__ import annotations

from typing import Any

import httpx2

Body = dict[str, Any]


class CoderAPI:
    """The API as an owner sees it."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx2.Client(base_url=f"{url}/api/v2", headers={"Coder-Session-Token": token}, timeout=10)

    def close(self) -> None:
        self._http.close()

    def create_user(self, username: str) -> Body:
        body = {"username": username, "email": f"{username}@example.com", "login_type": "none"}
        return self._checked("POST", "/users", json=body)

    def create_group(self, name: str, **fields: Any) -> Body:
        return self._checked("POST", "/organizations/default/groups", json={"name": name, **fields})

    def patch_group(self, group_id: str, **fields: Any) -> Body:
        return self._checked("PATCH", f"/groups/{group_id}", json=fields)

    def delete_group(self, group_id: str) -> None:
        self._checked("DELETE", f"/groups/{group_id}")

    def find_group(self, name: str) -> Body | None:
        """The group, or None."""
        answer = self._http.get(f"/organizations/default/groups/{name}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        group: Body = answer.json()
        return group

    def group(self, name: str) -> Body:
        found = self.find_group(name)
        assert found is not None, f"there is no group {name}"
        return found

    def members(self, name: str) -> set[str]:
        return {member["username"] for member in self.group(name)["members"]}

    def create_token(self, user: str) -> str:
        """A session token of that user."""
        token: str = self._checked("POST", f"/users/{user}/keys")["key"]
        return token

    def create_template(self, name: str, **fields: Any) -> Body:
        return self._checked("POST", "/organizations/default/templates", json={"name": name, **fields})

    def delete_template(self, template_id: str) -> None:
        self._checked("DELETE", f"/templates/{template_id}")

    def sees_template(self, template_id: str) -> bool:
        return self._http.get(f"/templates/{template_id}").status_code == 200

    def patch_acl(self, template_id: str, **fields: Any) -> None:
        self._checked("PATCH", f"/templates/{template_id}/acl", json=fields)

    def user_roles(self, template_id: str) -> dict[str, str]:
        """Roles on a template by username."""
        acl = self._acl(template_id)
        return {user["username"]: user["role"] for user in (acl if isinstance(acl, list) else acl["users"])}

    def group_roles(self, template_id: str) -> dict[str, str]:
        """Roles on a template by the name of the group, of a server that tells them."""
        acl = self._acl(template_id)
        assert not isinstance(acl, list), "a server of the profile documented does not tell the roles of groups"
        return {group["name"]: group["role"] for group in acl["group"]}

    def _acl(self, template_id: str) -> Any:
        return self._checked("GET", f"/templates/{template_id}/acl")

    def audit_count(self) -> int:
        """How many changes the server has noted."""
        count: int = self._checked("GET", "/audit?limit=1")["count"]
        return count

    def _checked(self, method: str, path: str, **arguments: Any) -> Body:
        answer = self._http.request(method, path, **arguments)
        answer.raise_for_status()
        body: Body = answer.json()
        return body
