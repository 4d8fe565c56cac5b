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
        self._http = httpx2.Client(base_url=f"{url}/api/v2", headers={"Coder-Session-Token": token}, timeout=30)

    def close(self) -> None:
        self._http.close()

    def create_user(self, username: str) -> Body:
        body = {"username": username, "email": f"{username}@example.com", "login_type": "none"}
        return self._checked("POST", "/users", json=body)

    def find_user(self, username: str) -> Body | None:
        """The user, or None; whoever is deleted is not found."""
        answer = self._http.get(f"/users/{username}")
        if answer.status_code == 400:
            return None
        answer.raise_for_status()
        user: Body = answer.json()
        return user

    def user(self, username: str) -> Body:
        found = self.find_user(username)
        assert found is not None, f"there is no user {username}"
        return found

    def users(self) -> list[Body]:
        """All who are not deleted."""
        found: list[Body] = self._checked("GET", "/users?limit=1000")["users"]
        return found

    def roles(self, username: str) -> set[str]:
        return {role["name"] for role in self.user(username)["roles"]}

    def set_roles(self, user_id: str, *roles: str) -> None:
        self._checked("PUT", f"/users/{user_id}/roles", json={"roles": roles})

    def suspend_user(self, user_id: str) -> None:
        self._checked("PUT", f"/users/{user_id}/status/suspend")

    def delete_user(self, user_id: str) -> None:
        self._checked("DELETE", f"/users/{user_id}")

    def schedule(self, username: str) -> str:
        """Of the user's quiet hours."""
        hours: Any = self._http.get(f"/users/{username}/quiet-hours").raise_for_status().json()
        return str((hours[0] if isinstance(hours, list) else hours)["raw_schedule"])

    def set_schedule(self, username: str, schedule: str) -> None:
        """Of the user's quiet hours."""
        self._http.put(f"/users/{username}/quiet-hours", json={"schedule": schedule}).raise_for_status()

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

    def groups(self) -> list[Body]:
        groups: list[Body] = self._http.get("/organizations/default/groups").raise_for_status().json()
        return groups

    def group(self, name: str) -> Body:
        found = self.find_group(name)
        assert found is not None, f"there is no group {name}"
        return found

    def members(self, name: str) -> set[str]:
        return {member["username"] for member in self.group(name)["members"]}

    def licenses(self) -> list[Body]:
        found: list[Body] = self._request("GET", "/licenses").json() or []
        return found

    def add_license(self, license_: str) -> Body:
        return self._checked("POST", "/licenses", json={"license": license_})

    def delete_license(self, license_id: int) -> None:
        self._request("DELETE", f"/licenses/{license_id}")

    def appearance(self) -> Body:
        return self._checked("GET", "/appearance")

    def put_appearance(self, **fields: Any) -> None:
        self._checked("PUT", "/appearance", json=fields)

    def proxies(self) -> dict[str, Body]:
        """Workspace proxies by name, without the server itself."""
        answer: Any = self._checked("GET", "/workspaceproxies")
        listed = answer[0] if isinstance(answer, list) else answer
        return {proxy["name"]: proxy for proxy in listed["regions"] if proxy["name"] != "primary"}

    def create_proxy(self, name: str, **fields: Any) -> Body:
        answer = self._checked("POST", "/workspaceproxies", json={"name": name, **fields})
        made: Body = answer.get("proxy", answer)
        return made

    def patch_proxy(self, proxy_id: str, **fields: Any) -> None:
        self._checked("PATCH", f"/workspaceproxies/{proxy_id}", json=fields)

    def delete_proxy(self, proxy_id: str) -> None:
        self._checked("DELETE", f"/workspaceproxies/{proxy_id}")

    def accepts_proxy_token(self, token: str) -> bool:
        """Whether a workspace proxy could use it; asking changes nothing."""
        answer = self._http.post(
            "/workspaceproxies/me/deregister",
            json={"replica_id": "00000000-0000-4000-8000-000000000000"},
            headers={"Coder-External-Proxy-Token": token},
        )
        return answer.status_code != 401

    def tokens(self, user: str) -> set[str]:
        """Their names."""
        keys: list[Body] = self._request("GET", f"/users/{user}/keys/tokens").json()
        return {key["token_name"] for key in keys}

    def create_token(self, user: str) -> str:
        """A session token of that user."""
        token: str = self._checked("POST", f"/users/{user}/keys")["key"]
        return token

    def create_template(self, name: str, **fields: Any) -> Body:
        return self._checked("POST", "/organizations/default/templates", json={"name": name, **fields})

    def template(self, name: str) -> Body:
        return self._checked("GET", f"/organizations/default/templates/{name}")

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
        body: Body = self._request(method, path, **arguments).json()
        return body

    def _request(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        answer = self._http.request(method, path, **arguments)
        answer.raise_for_status()
        return answer
