"""/metrics: requests by route, never by what a path names."""

from __future__ import annotations

from uuid import uuid4

from tests.support.api import SITE, Client, create_group

METRICS = f"{SITE}/metrics"


async def test_requests_are_counted_by_status_method_and_route(owner: Client) -> None:
    group = await create_group(owner, "platform")
    await owner.get(f"/groups/{group['id']}")
    await owner.get(f"/groups/{uuid4()}")
    text = (await owner.get(METRICS)).text
    labels = 'method="GET",path="/api/v2/groups/{group}"'
    assert f'coderd_api_requests_processed_total{{code="200",{labels}}} 1.0' in text
    assert f'coderd_api_requests_processed_total{{code="404",{labels}}} 1.0' in text
    assert f"coderd_api_request_latencies_seconds_count{{{labels}}} 2.0" in text


async def test_paths_without_a_route_share_one_label(nobody: Client) -> None:
    for number in range(3):
        await nobody.get(f"/no-such-path-{number}")
    text = (await nobody.get(METRICS)).text
    assert 'coderd_api_requests_processed_total{code="404",method="GET",path="none"} 3.0' in text
    assert "no-such-path" not in text


async def test_what_is_in_work_is_counted(nobody: Client) -> None:
    text = (await nobody.get(METRICS)).text
    assert "coderd_api_concurrent_requests 1.0" in text


async def test_no_token_is_in_the_metrics(owner: Client) -> None:
    await owner.get("/users", params={"coder_session_token": owner.token})
    assert owner.token not in (await owner.get(METRICS)).text
