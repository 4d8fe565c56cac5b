"""Lists of provisioner jobs, what a job says of what it is for, and who may do it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Body, Client, checked, refused
from tests.support.provisioners import Daemon, create_build, create_version, create_workspace, session_of

JOBS = "/organizations/default/provisionerjobs"


async def jobs(client: Client, **filters: Any) -> list[Body]:
    found: list[Body] = checked(await client.get(JOBS, params=filters))  # type: ignore[assignment]
    return found


async def ids_of(client: Client, **filters: Any) -> list[str]:
    return [job["id"] for job in await jobs(client, **filters)]


async def test_jobs_are_listed_newest_first(owner: Client, template_admin: Client) -> None:
    made = [(await create_version(owner))["job"]["id"] for _ in range(3)]
    assert await ids_of(template_admin) == made[::-1]
    assert await ids_of(template_admin, limit=2) == made[:0:-1]


async def test_a_job_is_found_by_its_id(owner: Client) -> None:
    version = await create_version(owner)
    job = checked(await owner.get(f"{JOBS}/{version['job']['id']}"))
    assert (job["id"], job["input"]["template_version_id"]) == (version["job"]["id"], version["id"])
    refused(await owner.get(f"{JOBS}/{version['id']}"), 404)
    refused(await owner.get(f"{JOBS}/x"), 400)


async def test_jobs_are_hidden_from_those_who_may_not_see_all(owner: Client, auditor: Client, member: Client) -> None:
    version = await create_version(owner)
    for client in (auditor, member):
        refused(await client.get(JOBS), 404)
        refused(await client.get(f"{JOBS}/{version['job']['id']}"), 404)


async def test_jobs_are_narrowed_by_what_became_of_them(daemon: Daemon, owner: Client) -> None:
    expected = {}
    for status in ("succeeded", "failed", "canceled", "canceling", "running"):
        version = await create_version(owner)
        expected[status] = version["job"]["id"]
        job = await daemon.acquire()
        if status.startswith("cancel"):
            checked(await owner.patch(f"/templateversions/{version['id']}/cancel"))
        if status in ("succeeded", "canceled"):
            await daemon.complete(job)
        if status == "failed":
            await daemon.fail(job, "broken")
    expected["pending"] = (await create_version(owner))["job"]["id"]
    for status, job_id in expected.items():
        assert await ids_of(owner, status=status) == [job_id]
        assert [job["status"] for job in await jobs(owner, ids=job_id)] == [status]
    assert len(await jobs(owner, status="pending,running")) == 2


async def test_jobs_are_narrowed_by_who_asked_for_them_and_by_tags(owner: Client, template_admin: Client) -> None:
    own = (await create_version(owner, tags={"zone": "eu", "size": "big"}))["job"]["id"]
    other = (await create_version(template_admin))["job"]["id"]
    assert await ids_of(owner, initiator=owner.user_id) == await ids_of(owner, tags='{"zone": "eu"}') == [own]
    assert await ids_of(owner, ids=[own, other], initiator=template_admin.user_id) == [other]
    assert await ids_of(owner, tags='{"zone": "us"}') == []


@pytest.mark.parametrize(
    ("filters", "field"),
    [({"status": "done"}, "status"), ({"ids": "x"}, "ids"), ({"initiator": "x"}, "initiator"), ({"q": "x"}, "q")],
)
async def test_a_filter_that_cannot_be_is_refused(owner: Client, filters: dict[str, str], field: str) -> None:
    answer = await owner.get(JOBS, params=filters)
    assert answer.status_code == 400
    assert field in answer.text


async def test_an_import_says_what_it_is_for(owner: Client) -> None:
    version = await create_version(owner, name="v1")
    (job,) = await jobs(owner)
    assert (
        job["metadata"]
        == version["job"]["metadata"]
        == {
            "template_version_name": "v1",
            "template_id": "00000000-0000-0000-0000-000000000000",
            "template_name": "",
            "template_display_name": "",
            "template_icon": "",
            "workspace_id": None,
            "workspace_name": "",
        }
    )


async def test_a_build_says_what_it_is_for(template: Body, owner: Client, member: Client) -> None:
    workspace = await create_workspace(member, template, "dev")
    (job,) = await jobs(owner, status="pending")
    assert job["metadata"] == workspace["latest_build"]["job"]["metadata"]
    assert job["metadata"]["template_version_name"] == "docker-1"
    assert (job["metadata"]["template_id"], job["metadata"]["template_name"]) == (template["id"], "docker")
    assert (job["metadata"]["workspace_id"], job["metadata"]["workspace_name"]) == (workspace["id"], "dev")


async def test_a_job_that_waits_says_who_may_do_it(address: str, owner: Client) -> None:
    async with (
        Daemon(address, session_of(owner), name="eu", tags={"zone": "eu"}) as able,
        Daemon(address, session_of(owner), name="us", tags={"zone": "us"}),
        Daemon(address, session_of(owner), name="other", tags={"zone": "eu"}, provisioners=["terraform"]),
    ):
        version = await create_version(owner, tags={"zone": "eu"})
        (job,) = await jobs(owner)
        order = await able.acquire()
        (taken,) = await jobs(owner)
    assert version["matched_provisioners"]["count"] == version["matched_provisioners"]["available"] == 1
    assert version["matched_provisioners"]["most_recently_seen"]
    assert order.job_id == job["id"]
    assert job["available_workers"] == [taken["worker_id"]]
    assert taken["available_workers"] == []
    assert checked(await owner.get(f"/templateversions/{version['id']}"))["matched_provisioners"] is None


async def test_a_build_says_how_many_may_do_it(daemon: Daemon, template: Body, owner: Client) -> None:
    workspace = await create_workspace(owner, template, "dev")
    matched = workspace["latest_build"]["matched_provisioners"]
    assert (matched["count"], matched["available"]) == (1, 1)
    await daemon.complete(await daemon.acquire())
    build = checked(await owner.get(f"/workspacebuilds/{workspace['latest_build']['id']}"))
    assert build["matched_provisioners"] == {"count": 0, "available": 0, "most_recently_seen": None}
    made = await create_build(owner, workspace, "stop")
    assert made["matched_provisioners"]["count"] == 1


async def test_a_version_that_nobody_may_import_says_so(owner: Client) -> None:
    version = await create_version(owner, tags={"zone": "mars"})
    assert version["matched_provisioners"] == {"count": 0, "available": 0, "most_recently_seen": None}
