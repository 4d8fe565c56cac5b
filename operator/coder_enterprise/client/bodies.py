"""Bodies of answers: decoded and read without ever holding more than they may have.

Used by `client.http`, which says how much that is. A server that is hostile, or no Coder at all, may send without an
end, or a megabyte that decodes to a gigabyte; what it costs is bounded here, for each answer and for all together.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import zlib
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from pydantic import TypeAdapter

MAX_LIST: Final = 64 * 2**20
"""Bytes, decoded: groups with some 200,000 members in all."""
MAX_ANSWER: Final = 8 * 2**20
"""Bytes of what is no list; also of one item of a list."""
MAX_ERROR: Final = 64 * 2**10
MAX_VALUES: Final = 4_000_000
"""Values in one answer, which cost far more than their bytes; a large list has one in 20 bytes or more."""
MAX_ITEMS: Final = 150_000
"""Of a list: one for each of a hundred thousand objects, and those that nobody declares."""
SMALL: Final = 2**20
"""Bytes that need no share of the budget, and are read without a thread."""
MAX_TOGETHER: Final = 2 * MAX_LIST
"""Bytes of all large answers that are being read at a time, over all deployments."""
ROOM_WITHIN: Final = 15.0
"""Seconds that a large answer waits for others."""
PIECE: Final = 256 * 2**10
"""Bytes that are decoded at a time, before others have their turn."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""Half of a character, or what begins one."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class TooLarge(Exception):
    """The answer has more than it may have; the message says of what."""


class NoRoom(Exception):
    """Other large answers did not end in time."""


class Reader(Protocol[T_co]):
    """What makes sense of a body; pydantic's `TypeAdapter` is one. Raises ValueError for what is something else."""

    def validate_json(self, data: bytes | bytearray, /) -> T_co: ...


class Budget:
    """Bytes that may be taken at a time; who asks first gets his first."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextlib.contextmanager
    def share(self) -> Iterator[Share]:
        """What is taken of it is given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self._left += share.taken
            self._serve()

    async def take(self, size: int) -> None:
        """Raises `NoRoom`."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self._serve()
        try:
            async with asyncio.timeout(ROOM_WITHIN):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._left += size  # it came too late
            turn.cancel()
            self._serve()
            if isinstance(error, TimeoutError):
                raise NoRoom from None
            raise

    def _serve(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if size > self._left:
                    return
                self._left -= size
                turn.set_result(None)
            self._waiting.popleft()


class Share:
    """What one answer has taken of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.taken = 0

    async def take(self, size: int) -> None:
        """All that the answer may need, at once: who took it piece by piece would wait for others that wait for him.
        Raises `NoRoom`."""
        if not self.taken:
            await self._budget.take(size)
            self.taken = size


BUDGET: Final = Budget(MAX_TOGETHER)


async def collect(chunks: AsyncIterable[bytes], encoding: str, limit: int, share: Share) -> bytearray:
    """The decoded body. Raises `TooLarge`, `NoRoom`, and ValueError for what cannot be decoded."""
    body = bytearray()
    async for piece in _decoded(chunks, encoding.strip().lower()):
        size = len(body) + len(piece)
        if size > limit:
            raise TooLarge(f"more than {limit} bytes")
        if size > SMALL:
            await share.take(limit)
        body += piece
    return body


async def _decoded(chunks: AsyncIterable[bytes], encoding: str) -> AsyncIterator[bytes]:
    if encoding in {"", "identity"}:
        async for chunk in chunks:
            yield chunk
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise ValueError("its answer has a content encoding that was not asked for")
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        async for chunk in chunks:
            data = chunk
            while data:
                yield decoder.decompress(data, PIECE)
                data = decoder.unconsumed_tail
                await asyncio.sleep(0)
        yield decoder.flush()
    except zlib.error as error:
        raise ValueError(f"broken {encoding}: {error}") from None
    if not decoder.eof:
        raise ValueError(f"broken {encoding}: it ends too early")


async def read(reader: Reader[T], body: bytearray) -> T:
    """What the body says. Raises `TooLarge`, and what `reader` raises."""
    if body.count(b",") > MAX_VALUES:
        raise TooLarge(f"more than {MAX_VALUES} values")
    if len(body) <= SMALL:
        return reader.validate_json(body)
    return await asyncio.to_thread(reader.validate_json, body)


class ListOf(Generic[T]):
    """A reader of a JSON array, item by item: all at once would take three times the memory, and hold the interpreter
    for seconds, also from another thread."""

    limit: ClassVar[int] = MAX_LIST
    """Bytes that the list may have."""

    def __init__(self, item: TypeAdapter[T], few: TypeAdapter[tuple[T, ...]]) -> None:
        """`few` reads a small list at once, and names the item that is wrong."""
        self._item = item
        self._few = few

    def validate_json(self, data: bytes | bytearray, /) -> tuple[T, ...]:
        """Raises ValueError for what is no such list, and `TooLarge`."""
        if len(data) <= SMALL:
            return self._few.validate_json(data)
        items: list[T] = []
        text = data.decode()
        halved = _SURROGATE.search(text) is not None
        for value in _items(text):
            if halved:
                json.dumps(value, ensure_ascii=False).encode()  # raises where a half is alone
            if len(items) == MAX_ITEMS:
                raise TooLarge(f"more than {MAX_ITEMS} items")
            items.append(self._item.validate_python(value))
        return tuple(items)


def _items(text: str) -> Iterator[Any]:
    """The items of a JSON array. Decoded through a window, so that one endless item is noticed before it is built."""
    decoder = json.JSONDecoder()
    position = _skip(text, 0)
    if not text.startswith("[", position):
        raise ValueError("it is no list")
    position = start = _skip(text, position + 1)
    window = text[start : start + MAX_ANSWER]
    while not text.startswith("]", position):
        try:
            value, end = decoder.raw_decode(window, position - start)
        except ValueError:
            if position == start:
                if len(window) == MAX_ANSWER:
                    raise TooLarge(f"an item of more than {MAX_ANSWER} characters") from None
                raise
            window, start = text[position : position + MAX_ANSWER], position
            continue
        yield value
        position = _skip(text, start + end)
        if text.startswith(",", position):
            position = _skip(text, position + 1)
        elif not text.startswith("]", position):
            raise ValueError("a list without commas")


def _skip(text: str, position: int) -> int:
    """Past white space."""
    found = _SPACE.match(text, position)
    return found.end() if found else position
