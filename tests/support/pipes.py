"""A connection inside the process, with two ends that `Session` can use: a few messages each way, then one waits."""

from __future__ import annotations

import asyncio


class End:
    """One end of a connection."""

    def __init__(self, incoming: asyncio.Queue[bytes], outgoing: asyncio.Queue[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self.largest = 0

    async def receive(self) -> bytes:
        return await self._incoming.get()

    async def send(self, data: bytes) -> None:
        self.largest = max(self.largest, len(data))
        await self._outgoing.put(data)

    async def close(self) -> None:
        """The other end sees the connection closed."""
        await self._outgoing.put(b"")


def connection() -> tuple[End, End]:
    there: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
    back: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
    return End(back, there), End(there, back)
