"""Workspace proxies as Coder lists and deletes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coder_enterprise.client import errors
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.proxy.find import ProxyIndex
from tests.kinds.proxy.builders import KIND, PROXY_ID, RECORDED, Body, Coder, proxy, resource, spec
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Scripted


def test_a_list_is_looked_up_by_name_without_case_and_skips_what_is_deleted() -> None:
    index = ProxyIndex([proxy(name="EU"), proxy(id="gone", name="old", deleted=True)])
    assert index.named("eu") == index.get(PROXY_ID) == proxy(name="EU")
    assert (index.named("old"), index.get("gone")) == (None, None)


async def test_health_is_read_for_all_at_once(server: Scripted, context: Context) -> None:
    coder = Coder(server)
    coder.add("eu")
    for name in ("eu", "us", "jp"):
        item = replace(resource(), key=resource().key._replace(name=name))
        await KIND.observe(context, item, spec(), fresh=False)
    assert server.paths() == ["/workspaceproxies"]


@pytest.mark.parametrize(
    ("answer", "roles", "error"),
    [
        ({"body": {"id": PROXY_ID, "name": "eu", "deleted": True}}, [], None),
        ({"body": NOT_FOUND, "status": 404}, [{"name": "owner"}], None),
        ({"body": NOT_FOUND, "status": 404}, [{"name": "member"}], "NotFound"),
        ({"body": NO_ROUTE, "status": 404}, [{"name": "owner"}], "NotServed"),
    ],
)
async def test_a_proxy_is_gone_when_coder_says_so_to_somebody_who_sees_all(
    server: Scripted, context: Context, answer: Body, roles: list[Body], error: str | None
) -> None:
    server.answer("/workspaceproxies", {"regions": None})
    server.answer(f"/workspaceproxies/{PROXY_ID}", **answer)
    server.answer("/users/me", {"id": "me", "username": "me", "roles": roles})
    look = KIND.observe(context, resource(RECORDED), spec(), fresh=True)
    if error is None:
        assert (await look).proxy is None
        return
    with pytest.raises(errors.OperatorError) as raised:
        await look
    assert raised.value.reason == error


async def test_a_server_without_workspace_proxies_says_what_to_enable(server: Scripted, context: Context) -> None:
    with pytest.raises(KindError, match="moons") as raised:
        await KIND.observe(context, resource(), spec(), fresh=True)
    assert raised.value.reason == Reason.NOT_SERVED


@pytest.mark.parametrize(("status", "answer"), [(200, {"message": "gone"}), (404, NOT_FOUND)])
async def test_what_is_gone_counts_as_deleted(server: Scripted, context: Context, status: int, answer: Body) -> None:
    server.answer(f"/workspaceproxies/{PROXY_ID}", answer, method="DELETE", status=status)
    server.answer("/users/me", {"id": "me", "username": "me", "roles": [{"name": "owner"}]})
    await KIND.delete(context, resource(RECORDED))


async def test_a_404_for_a_token_that_does_not_see_all_is_no_deletion(server: Scripted, context: Context) -> None:
    server.answer(f"/workspaceproxies/{PROXY_ID}", NOT_FOUND, method="DELETE", status=404)
    server.answer("/users/me", {"id": "me", "username": "me", "roles": []})
    with pytest.raises(errors.NotFound):
        await KIND.delete(context, resource(RECORDED))


async def test_what_was_never_made_is_not_deleted(server: Scripted, context: Context) -> None:
    await KIND.delete(context, resource())
    assert server.asked == []
