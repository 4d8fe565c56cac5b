"""What a server that never ends, or packs its answer, may cost."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import TypeAdapter

from coder_enterprise.client import bodies, errors, records
from coder_enterprise.client.bodies import Budget, ListOf, NoRoom, TooLarge, collect, read
from coder_enterprise.client.coder import GROUPS, CoderClient
from tests.support.scripted import Scripted

ORGANIZATION = "0e0e0e0e-0000-4000-8000-000000000000"
PATH = f"/organizations/{ORGANIZATION}/groups"
ITEMS = ListOf(TypeAdapter(records.Role), TypeAdapter(records.Many[records.Role]))


async def chunks(body: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def decoded(body: bytes, encoding: str, limit: int = 1000) -> bytes:
    with Budget(bodies.MAX_TOGETHER).share() as share:
        return bytes(await collect(chunks(body), encoding, limit, share))


# Decoding


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", b"text"),
        ("identity", b"text"),
        ("gzip", gzip.compress(b"text", mtime=0)),
        ("Deflate", zlib.compress(b"text")),
    ],
)
async def test_a_body_is_decoded(encoding: str, packed: bytes) -> None:
    assert await decoded(packed, encoding) == b"text"


@pytest.mark.parametrize("packed", [b"no gzip", gzip.compress(b"x" * 500, mtime=0)[:-12], b""])
async def test_a_broken_body_is_an_error(packed: bytes) -> None:
    with pytest.raises(ValueError, match="broken gzip"):
        await decoded(packed, "gzip")


async def test_an_encoding_that_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(ValueError, match="was not asked for"):
        await decoded(b"x", "br")


async def test_what_decodes_to_too_much_is_given_up_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(bytes(50 * 2**20))
    pieces: list[int] = []
    monkeypatch.setattr(bodies, "PIECE", 1000)
    real = bodies._decoded

    async def counted(*arguments: Any) -> AsyncIterator[bytes]:
        async for piece in real(*arguments):
            pieces.append(len(piece))
            yield piece

    monkeypatch.setattr(bodies, "_decoded", counted)
    with pytest.raises(TooLarge, match="more than 5000 bytes"):
        await decoded(bomb, "gzip", limit=5000)
    assert sum(pieces) <= 6000


# Reading


@pytest.mark.parametrize("space", ["", " ", "\r\n\t"])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
async def test_a_large_list_is_read_like_a_small_one(monkeypatch: pytest.MonkeyPatch, space: str, count: int) -> None:
    names = [{"name": f"ä,]}}{number}"} for number in range(count)]
    body = bytearray(f"{space}[{space}" + f"{space},{space}".join(map(json.dumps, names)) + f"{space}]", "utf-8")
    small = await read(ITEMS, body)
    monkeypatch.setattr(bodies, "SMALL", 0)
    monkeypatch.setattr(bodies, "MAX_ANSWER", 64)  # so that items end behind the window
    assert await read(ITEMS, body) == small
    assert len(small) == count


@pytest.mark.parametrize("text", ["{}", "null", "[", '[{"name": "a"}', '[{"name": "a"} {"name": "b"}]', "[1]", "[[[[["])
async def test_what_is_no_list_is_refused_however_large_it_is(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(bodies, "SMALL", 0)
    with pytest.raises((ValueError, RecursionError)):
        await read(ITEMS, bytearray(text, "utf-8"))


@pytest.mark.parametrize("small", [0, 2**20])
def test_half_a_character_is_refused_however_large_the_list_is(monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    monkeypatch.setattr(bodies, "SMALL", small)
    whole = ITEMS.validate_json(rb'[{"name": "\ud83d\ude00"}]')
    assert [role.name for role in whole] == ["\N{GRINNING FACE}"]
    with pytest.raises(ValueError, match=r"hex escape|surrogate"):
        ITEMS.validate_json(rb'[{"name": "a\ud83d"}]')


async def test_an_endless_item_and_endless_items_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SMALL", 0)
    monkeypatch.setattr(bodies, "MAX_ITEMS", 3)
    with pytest.raises(TooLarge, match="more than 3 items"):
        await read(ITEMS, bytearray(b'[{"name":"a"},{"name":"a"},{"name":"a"},{"name":"a"}]'))
    monkeypatch.setattr(bodies, "MAX_ANSWER", 20)
    with pytest.raises(TooLarge, match="an item of more than 20"):
        await read(ITEMS, bytearray(b'[{"name":"' + b"a" * 100 + b'"}]'))


async def test_small_values_without_number_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_VALUES", 10)
    with pytest.raises(TooLarge, match="more than 10 values"):
        await read(ITEMS, bytearray(b"[" + b"0," * 11 + b"0]"))


# The budget


async def taking(budget: Budget, size: int, end: asyncio.Event) -> None:
    with budget.share() as share:
        await share.take(size)
        await share.take(size)
        await end.wait()


@pytest.mark.looptime
async def test_large_answers_wait_for_each_other_in_their_order_and_not_for_ever() -> None:
    budget, first, second = Budget(100), asyncio.Event(), asyncio.Event()
    one = asyncio.create_task(taking(budget, 80, first))
    await asyncio.sleep(0)
    two = asyncio.create_task(taking(budget, 60, second))
    late = asyncio.create_task(taking(budget, 60, second))
    await asyncio.sleep(1)
    first.set()
    await asyncio.sleep(1)
    assert one.done()
    with pytest.raises(NoRoom):
        await late
    assert not two.done()
    second.set()
    await two
    await taking(budget, 100, second)


@pytest.mark.looptime
async def test_who_gives_up_waiting_takes_nothing() -> None:
    budget, end = Budget(100), asyncio.Event()
    one = asyncio.create_task(taking(budget, 80, end))
    await asyncio.sleep(0)
    two = asyncio.create_task(taking(budget, 60, end))
    await asyncio.sleep(0)
    end.set()
    two.cancel()
    await one
    await taking(budget, 100, end)


# Against a server


@pytest.mark.parametrize("status", [200, 403, 500])
async def test_a_bomb_is_an_answer_that_is_not_coders(server: Scripted, client: CoderClient, status: int) -> None:
    bomb = gzip.compress(b"[" + bytes(bodies.MAX_LIST))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    server.reply(PATH, lambda _: web.Response(status=status, body=bomb, headers=headers))
    with pytest.raises(errors.CoderError) as caught:
        await client.groups.list(ORGANIZATION)
    assert caught.value.reason == ("ServerError" if status == 500 else "UnexpectedAnswer")
    assert len(caught.value.message) < 1000


async def test_what_a_server_says_is_cut(server: Scripted, client: CoderClient) -> None:
    long = "x" * 5000
    validations = [{"field": f"{number}{long}", "detail": long} for number in range(3)]
    server.answer(PATH, {"message": long, "detail": long, "validations": validations}, status=400)
    with pytest.raises(errors.BadRequest) as caught:
        await client.groups.list(ORGANIZATION)
    assert len(caught.value.message) < 5000


async def test_a_large_list_is_read_with_all_its_items(server: Scripted, client: CoderClient) -> None:
    rows = [
        {"id": str(number), "name": f"group-{number}", "organization_id": ORGANIZATION, "members": [{"id": "1" * 36}]}
        for number in range(15_000)
    ]
    assert len(json.dumps(rows)) > bodies.SMALL
    server.answer(PATH, rows)
    groups = await client.groups.list(ORGANIZATION)
    assert [group.name for group in groups] == [row["name"] for row in rows]
    assert groups == GROUPS._few.validate_python(rows)
