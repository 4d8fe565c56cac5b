"""The calls about people: users, their quiet hours and quotas, and what an identity provider does.

Part of `client.coder.CoderClient`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, TypeAdapter

from coder_enterprise.client import records, scim
from coder_enterprise.client.calls import Calls, segment
from coder_enterprise.client.operations import CoderRight
from coder_enterprise.wire.authorization import AuthorizationCheck, AuthorizationObject, AuthorizationRequest
from coder_enterprise.wire.quiet_hours import UpdateQuietHoursRequest
from coder_enterprise.wire.users import CreateUserRequest, UpdateProfileRequest, UpdateRolesRequest

USERS_PAGE: Final = 1000
USERS_ATTEMPTS: Final = 3


def _only(value: Any) -> Any:
    """The page documents an array where servers answer one object."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


QUIET_HOURS: Final[TypeAdapter[records.QuietHours]] = TypeAdapter(Annotated[records.QuietHours, BeforeValidator(_only)])
_VERDICTS: Final[TypeAdapter[dict[str, bool]]] = TypeAdapter(dict[str, bool])


class UserCalls(Calls):
    async def me(self) -> records.User:
        return await self._transport.get("users.me", "/users/me", records.User)

    async def own_key(self) -> records.APIKey:
        """The session token that this client sends, without its secret part."""
        key_id = self._transport.settings.token.partition("-")[0]
        return await self._transport.get("keys.get", f"/users/me/keys/{segment(key_id)}", records.APIKey)

    async def may(self, rights: Sequence[CoderRight], *, somewhere: bool = False) -> dict[CoderRight, bool]:
        """Whether the token's user may do each of these to all that there is, or with `somewhere` in an organization at
        least. Raises `errors.APIError` where the server does not tell."""
        checks = {
            str(right): AuthorizationCheck(
                object=AuthorizationObject(resource_type=right.resource, any_org=somewhere), action=right.action
            )
            for right in rights
        }
        request = AuthorizationRequest(checks=checks)
        answer = await self._transport.send("authorization.check", "POST", "/authcheck", request, _VERDICTS)
        return {right: answer.get(str(right), False) for right in rights}

    async def get(self, reference: str) -> records.User:
        """By id or username. An id also finds whoever is deleted, unmarked; a username does not.

        Raises `errors.BadRequest` for an unknown user.
        """
        return await self._transport.get("users.get", f"/users/{segment(reference)}", records.User)

    async def create(self, request: CreateUserRequest) -> records.User:
        return await self._transport.send("users.create", "POST", "/users", request, records.User)

    async def set_profile(self, user_id: str, request: UpdateProfileRequest) -> records.User:
        return await self._put("users.profile", user_id, "profile", request)

    async def set_roles(self, user_id: str, request: UpdateRolesRequest) -> records.User:
        """The roles in the deployment: these and no others."""
        return await self._put("users.roles", user_id, "roles", request)

    async def suspend(self, user_id: str) -> records.User:
        return await self._put("users.suspend", user_id, "status/suspend")

    async def activate(self, user_id: str) -> records.User:
        return await self._put("users.activate", user_id, "status/activate")

    async def delete(self, user_id: str) -> None:
        await self._transport.delete("users.delete", f"/users/{segment(user_id)}")

    async def _put(self, operation: str, user_id: str, what: str, body: BaseModel | None = None) -> records.User:
        return await self._transport.send(operation, "PUT", f"/users/{segment(user_id)}/{what}", body, records.User)

    async def list(self) -> tuple[records.User, ...]:
        """Every user that is not deleted, in pages.

        Pages are cut from a sorted list: when someone in an earlier page is deleted meanwhile, someone is skipped, and
        would look as if he did not exist. So a list whose length has changed is read again.
        """
        for _ in range(USERS_ATTEMPTS):
            users, steady = await self._read_pages()
            if steady:
                break
        return users

    async def search(self, text: str, limit: int) -> tuple[records.User, ...]:
        """Users whose username or e-mail contains that one word, at most `limit`."""
        page = await self._transport.get("users.search", "/users", records.UserPage, q=text, limit=limit)
        return page.users

    async def _read_pages(self) -> tuple[tuple[records.User, ...], bool]:
        """All pages, and whether the list stayed the same from the first to the last, as far as one can see."""
        users: dict[str, records.User] = {}
        counts: set[int] = set()
        read = 0
        while True:
            page = await self._transport.get("users.list", "/users", records.UserPage, limit=USERS_PAGE, offset=read)
            known = len(users)
            users |= {user.id: user for user in page.users}
            read += len(page.users)
            if page.users:  # past the last one Coder counts 0
                counts.add(page.count)
            more = read < page.count if page.count else len(page.users) >= USERS_PAGE
            if not more or len(users) == known:
                return tuple(users.values()), len(counts) <= 1 and len(users) == read


class QuietHoursCalls(Calls):
    async def get(self, user_id: str) -> records.QuietHours:
        """Raises `errors.Forbidden` or `errors.NotFound` where they are not licensed, or switched off."""
        return await self._transport.get("quiet-hours.get", _quiet_hours(user_id), QUIET_HOURS)

    async def set(self, user_id: str, schedule: str) -> records.QuietHours:
        request = UpdateQuietHoursRequest(schedule=schedule)
        return await self._transport.send("quiet-hours.set", "PUT", _quiet_hours(user_id), request, QUIET_HOURS)


class QuotaCalls(Calls):
    async def get(self, user_id: str) -> records.Quota:
        """From Coder 2.15 on: in the default organization only."""
        return await self._transport.get("workspace-quota.get", f"/workspace-quota/{segment(user_id)}", records.Quota)


class SCIMCalls(Calls):
    """What an identity provider does. The answers echo the request: to know how a user is, ask the API."""

    async def create(self, username: str, email: str, name: str, *, active: bool) -> records.SCIMUser:
        """Also finds whoever has that e-mail or username already, and changes nothing then."""
        body = scim.new_user(username, email, name, active=active)
        return await self._transport.send("scim.create", "POST", "/Users", body, records.SCIMUser)

    async def set_active(self, user_id: str, active: bool) -> records.SCIMUser:
        body = scim.activation(active)
        return await self._transport.send("scim.update", "PATCH", f"/Users/{segment(user_id)}", body, records.SCIMUser)


def _quiet_hours(user_id: str) -> str:
    return f"/users/{segment(user_id)}/quiet-hours"
