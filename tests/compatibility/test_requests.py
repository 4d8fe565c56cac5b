"""Every request of `data/requests.toml`, as clients of both generations send it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import httpx2
import pytest

from coder_enterprise.wire.profiles import Profile
from tests.compatibility.world import Call, World, facts

REQUESTS: Final[Sequence[Call]] = facts("requests.toml")["requests"]

Answers = Sequence[tuple[httpx2.Response, Any]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """To all requests, in their order, and what each of them leads to."""

    async def ask() -> Answers:
        async with World.made(Profile.CODERSDK, tmp_path_factory.mktemp("requests")) as world:
            return [await _ask(world, request) for request in REQUESTS]

    return asyncio.run(ask())


async def _ask(world: World, request: Call) -> tuple[httpx2.Response, Any]:
    for step in request.get("before", ()):
        assert (await world.send(step)).is_success, step
    answer = await world.send(request)
    shown = await world.send({"call": request["then"]}) if "then" in request else answer
    return answer, shown.json()


@pytest.mark.parametrize(
    "number", range(len(REQUESTS)), ids=[f"{request['client']} {request['does']}" for request in REQUESTS]
)
def test_a_client_is_understood(answers: Answers, number: int) -> None:
    request, (answer, shown) = REQUESTS[number], answers[number]
    assert answer.status_code == request["status"], answer.text
    assert request.get("says", "") in answer.text
    wanted = request.get("shows", {})
    assert {name: shown.get(name) for name in wanted} == wanted
