from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute

from coder_enterprise.server.errors import BadRequest, Unauthorized
from coder_enterprise.server.routes.endpoints import Endpoint


def endpoint(function: Callable[..., Any], path: str = "/") -> Endpoint:
    router = APIRouter()
    router.add_api_route(path, function)
    route = router.routes[0]
    assert isinstance(route, APIRoute)
    return Endpoint(route.dependant)


def request(query: str = "", **path_params: str) -> Request:
    return Request({"type": "http", "headers": [], "query_string": query.encode(), "path_params": path_params})


async def answered(asked: Endpoint, sent: Request) -> str:
    answer = await asked(sent)
    assert answer is not None
    return bytes(answer.body).decode()


async def test_parameters_of_the_path_and_of_the_query_become_arguments() -> None:
    async def show(name: Annotated[str, Path(alias="groupName")], limit: Annotated[int, Query(ge=0)] = 5) -> Response:
        return Response(f"{name} {limit + 1}")

    asked = endpoint(show, "/{groupName}")
    assert await answered(asked, request(groupName="ops")) == "ops 6"
    assert await answered(asked, request("limit=2", groupName="ops")) == "ops 3"


async def test_a_dependency_is_asked_once_for_a_request() -> None:
    calls: list[str] = []

    async def who() -> str:
        calls.append("who")
        return "ann"

    async def licensed(_: Annotated[str, Depends(who)]) -> None:
        calls.append("licensed")

    async def show(name: Annotated[str, Depends(who)], _: Annotated[None, Depends(licensed)]) -> Response:
        return Response(name)

    asked = endpoint(show)
    assert await answered(asked, request()) == "ann"
    assert calls == ["who", "licensed"]
    await asked(request())
    assert calls == ["who", "licensed"] * 2


async def test_all_parameters_that_break_a_rule_are_named_at_once() -> None:
    async def page(limit: Annotated[int, Query(ge=0)] = 0) -> int:
        return limit

    async def show(
        number: Annotated[int, Path(le=9)], limit: Annotated[int, Depends(page)], q: Annotated[str, Query(max_length=1)]
    ) -> Response:
        raise AssertionError(number, limit, q)

    with pytest.raises(BadRequest) as refused:
        await endpoint(show, "/{number}")(request("limit=-1&q=long", number="10"))
    assert sorted(refused.value.validations) == ["limit", "number", "q"]


async def test_a_text_that_the_query_must_have_is_named_when_it_is_missing() -> None:
    async def show(q: str) -> Response:
        return Response(q)

    assert await answered(endpoint(show), request("q=ops")) == "ops"
    with pytest.raises(BadRequest) as refused:
        await endpoint(show)(request())
    assert list(refused.value.validations) == ["q"]


async def test_who_asks_comes_before_what_they_ask() -> None:
    async def page(limit: Annotated[int, Query(ge=0)] = 0) -> int:
        return limit

    async def who() -> str:
        raise Unauthorized("Nobody.")

    async def show(limit: Annotated[int, Depends(page)], name: Annotated[str, Depends(who)]) -> Response:
        raise AssertionError(limit, name)

    with pytest.raises(Unauthorized):
        await endpoint(show)(request("limit=-1"))


async def _header(x: Annotated[str, Header()]) -> Response:
    return Response(x)


async def _body(x: Annotated[dict[str, Any], Body()]) -> Response:
    return Response(str(x))


def _in_a_thread() -> Response:
    return Response()


@pytest.mark.parametrize("function", [_header, _body, _in_a_thread])
def test_what_cannot_be_run_is_refused_at_start(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        endpoint(function)
