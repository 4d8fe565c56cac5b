"""The only module of the server that imports an HTTP library: one GET that asks how somebody is.

Used by the workers. Owns the connections. It does not judge what it is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import aiohttp

from coder_enterprise.wire.buildinfo import VERSION

MAX_BODY: Final = 64 * 1024
"""Bytes; the rest of a longer answer is not read."""


class Unreachable(Exception):
    """No answer came; the message is the cause."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Probes:
    """An asynchronous context manager. Redirects are followed, and HTTPS_PROXY and its like are heeded."""

    async def __aenter__(self) -> Probes:
        # Nobody is asked often enough for a kept connection to be of use, and one that went stale would be a failure.
        self._http = aiohttp.ClientSession(
            headers={"Accept": "application/json", "User-Agent": f"coder/{VERSION}"},
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.close()

    async def get(self, url: str, timeout: float) -> Answer:
        """`timeout` in seconds for everything. Raises `Unreachable`."""
        try:
            async with self._http.get(url, timeout=aiohttp.ClientTimeout(timeout)) as response:
                return Answer(response.status, await _read(response.content))
        except TimeoutError:
            raise Unreachable(f"no answer within {timeout:.0f} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(_cause(error)) from None


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    while len(body) < MAX_BODY:
        chunk = await content.read(MAX_BODY - len(body))
        if not chunk:
            break
        body += chunk
    return bytes(body)


def _cause(error: Exception) -> str:
    """In few words; aiohttp's own tell the address once more."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(inner, "strerror", "") or str(inner) or type(error).__name__
