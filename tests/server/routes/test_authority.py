"""What people see of each other, and whom they may change, by whatever route."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from coder_enterprise.server.rpc.calls import RPCError
from coder_enterprise.server.settings import Settings
from coder_enterprise.wire.profiles import Profile
from tests.support.api import Body, Client, People, checked, create_group, create_user, refused
from tests.support.licenses import write_keys
from tests.support.provisioners import Daemon, create_version, session_of
from tests.support.templates import create_private_template

NEW_PASSWORD = "another-Horse-8-battery"


class TestWhatPeopleSee:
    """In the Go SDK's shapes, which tell how many members a group has, and what a daemon has done."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return Settings(license_keys_file=write_keys(tmp_path / "keys.json"), profile=Profile.CODERSDK)

    async def test_a_member_sees_of_a_groups_members_only_themselves_and_how_many_there_are(
        self, owner: Client, member: Client
    ) -> None:
        ann = await create_user(owner, "ann")
        both, others = await create_group(owner, "both"), await create_group(owner, "others")
        for group, added in ((both, [ann["id"], member.user_id]), (others, [ann["id"]])):
            checked(await owner.patch(f"/groups/{group['id']}", json={"add_users": added}))
        home = checked(await owner.get("/organizations/default"))["id"]
        shown = [
            checked(await member.get(f"/groups/{both['id']}")),
            checked(await member.get(f"/groups/{home}")),
            checked(await member.get("/organizations/default/groups/both")),
            *(await member.get("/organizations/default/groups")).json(),
        ]
        assert {group["name"] for group in shown} == {"both", "Everyone"}
        for group in shown:
            assert [user["id"] for user in group["members"]] == [member.user_id]
            assert group["total_member_count"] == {"both": 2, "Everyone": 3}[group["name"]]

    async def test_who_may_see_people_sees_all_members(self, owner: Client, auditor: Client) -> None:
        home = checked(await owner.get("/organizations/default"))["id"]
        shown = checked(await auditor.get(f"/groups/{home}"))
        assert (len(shown["members"]), shown["total_member_count"]) == (2, 2)

    async def test_a_member_who_administers_a_template_sees_names_and_no_more(
        self, owner: Client, auditor: Client, member: Client
    ) -> None:
        template = await create_private_template(owner, "shared")
        url = f"/templates/{template['id']}/acl"
        everyone = template["organization_id"]
        entries = {"user_perms": {member.user_id: "admin", auditor.user_id: "use"}, "group_perms": {everyone: "use"}}
        checked(await owner.patch(url, json=entries))
        for path, groups in ((url, "group"), (f"{url}/available", "groups")):
            body = checked(await member.get(path))
            seen = {user["id"]: user for user in body["users"]}
            assert seen[auditor.user_id]["username"]
            assert {(user["email"], *user["roles"]) for user in body["users"]} == {("",)}
            assert [user["id"] for user in body[groups][0]["members"]] == [member.user_id]

    async def test_what_daemons_do_is_told_of_the_templates_that_one_sees(
        self, owner: Client, member: Client, template: Body
    ) -> None:
        daemons = "/organizations/default/provisionerdaemons"
        assert (await member.get(daemons)).json()[0]["previous_job"]["template_name"] == "docker"
        everyone = {"group_perms": {template["organization_id"]: ""}}
        checked(await owner.patch(f"/templates/{template['id']}/acl", json=everyone))
        hidden = (await member.get(daemons)).json()[0]["previous_job"]
        assert (hidden["template_name"], hidden["template_display_name"], hidden["template_icon"]) == ("", "", "")
        assert (await owner.get(daemons)).json()[0]["previous_job"]["template_name"] == "docker"


PRIVILEGED = ("owner", "template-admin", "auditor")


@pytest.mark.parametrize("role", PRIVILEGED)
async def test_a_user_admin_changes_nobody_who_has_powers_that_they_do_not_have(
    owner: Client, user_admin: Client, people: People, role: str
) -> None:
    other = await people.with_roles(role)
    url = f"/users/{other.user_id}"
    before = checked(await owner.get(url))
    for answer in (
        await user_admin.put(f"{url}/password", json={"password": NEW_PASSWORD}),
        await user_admin.put(f"{url}/profile", json={"username": "mine"}),
        await user_admin.put(f"{url}/status/suspend"),
        await user_admin.put(f"{url}/status/activate"),
        await user_admin.put(f"{url}/quiet-hours", json={"schedule": "CRON_TZ=UTC 30 2 * * *"}),
        await user_admin.delete(url),
        await user_admin.delete(f"/organizations/default/members/{other.user_id}"),
    ):
        assert "powers" in refused(answer, 403)["detail"]
    assert checked(await owner.get(url)) == before


async def test_a_user_admin_changes_members_and_other_user_admins(
    user_admin: Client, member: Client, people: People
) -> None:
    for other in (member, await people.with_roles("user-admin")):
        answer = await user_admin.put(f"/users/{other.user_id}/password", json={"password": NEW_PASSWORD})
        assert answer.status_code == 204


@pytest.mark.parametrize("name", ["me", "Me", "new", "first", "0" * 32])
async def test_a_name_by_which_nobody_would_be_found_is_refused(owner: Client, member: Client, name: str) -> None:
    refused(await member.put("/users/me/profile", json={"username": name}), 400, "username")
    body = {"username": name, "email": "a@example.com", "login_type": "none"}
    refused(await owner.post("/users", json=body), 400, "username")


@pytest.mark.parametrize("name", ["{id}", "{id_without_hyphens}", "{{{id}}}"])
async def test_a_name_that_looks_like_an_id_is_refused_for_everything(owner: Client, name: str) -> None:
    known = "4fa03b2c-5d5f-4c0e-9c39-7a0e5c1d2b3a"
    text = name.format(id=known, id_without_hyphens=known.replace("-", ""))
    home = "/organizations/default"
    for path in (f"{home}/groups", f"{home}/templates", f"{home}/provisionerkeys", "/workspaceproxies"):
        refused(await owner.post(path, json={"name": text}), 400, "name")
    body = {"username": text, "email": "a@example.com", "login_type": "none"}
    refused(await owner.post("/users", json=body), 400, "username")


@pytest.mark.parametrize("email", ["a\u202eb@example.com", "a\u200bb@example.com", "a\x07@example.com"])
async def test_an_address_with_what_nobody_sees_is_refused(owner: Client, email: str) -> None:
    refused(await owner.post("/users", json={"username": "a", "email": email, "login_type": "none"}), 400, "email")


@pytest.mark.parametrize("change", ["suspended", "deleted", "demoted", "signed out"])
async def test_the_daemon_of_somebody_who_may_not_run_it_any_more_gets_no_job(
    owner: Client, template_admin: Client, address: str, change: str
) -> None:
    user = f"/users/{template_admin.user_id}"
    async with Daemon(address, session_of(template_admin), name="theirs") as daemon:
        acquiring = asyncio.create_task(daemon.acquire())
        if change == "suspended":
            checked(await owner.put(f"{user}/status/suspend"))
        elif change == "deleted":
            checked(await owner.delete(user))
        elif change == "demoted":
            checked(await owner.put(f"{user}/roles", json={"roles": []}))
        else:
            checked(await template_admin.post("/users/logout"))
        await create_version(owner)
        with pytest.raises(RPCError):
            await acquiring


async def test_the_daemon_of_a_suspended_user_can_end_no_job(
    owner: Client, template_admin: Client, address: str
) -> None:
    async with Daemon(address, session_of(template_admin), name="theirs") as daemon:
        await create_version(owner)
        job = await daemon.acquire()
        checked(await owner.put(f"/users/{template_admin.user_id}/status/suspend"))
        with pytest.raises(RPCError, match="suspended"):
            await daemon.update(job, "a line")
