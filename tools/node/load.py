"""Clients that ask a server all the time, and what became of each request: used by the `scenario` during restarts.

Half of them make a connection for each request, as new clients do, and half keep one, as a browser does.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final, Self

import httpx2

from tools.commands import StepFailed

CLIENTS: Final = 4
"""Of each sort."""
PAUSE: Final = 0.02
TIMEOUT: Final = 5.0
WAIT_TIMEOUT: Final = 30.0
ERROR: Final = 500
"""From this status on it is the server's fault."""


class Load:
    """A context manager: it asks while the block runs."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._headers = headers or {}
        self._served = [0] * (2 * CLIENTS)
        """How often each client was answered."""
        self.failures: Counter[str] = Counter()
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask_all()), name="load")

    def __enter__(self) -> Self:
        """When each client was answered. Raises `StepFailed`."""
        self._thread.start()
        try:
            self._wait_for_all()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        """When each client was answered once more. Raises `StepFailed`."""
        try:
            self._wait_for_all()
        finally:
            self._stop()

    @property
    def answered(self) -> int:
        return sum(self._served)

    @property
    def lost(self) -> int:
        return self.failures.total()

    def report(self) -> str:
        """Such as `1200 requests, 3 lost (2 ConnectError, 1 503)`."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.failures.most_common())
        return f"{self.answered + self.lost} requests, {self.lost} lost{f' ({kinds})' if kinds else ''}"

    def _stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _wait_for_all(self) -> None:
        before = list(self._served)
        deadline = time.monotonic() + WAIT_TIMEOUT
        while any(now == then for now, then in zip(self._served, before, strict=True)):
            if time.monotonic() > deadline:
                raise StepFailed(f"a client was not answered for {WAIT_TIMEOUT:.0f} s: {self.report()}")
            time.sleep(PAUSE)

    async def _ask_all(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for number in range(len(self._served)):
                clients.create_task(self._ask(number, {"Connection": "close"} if number < CLIENTS else {}))

    async def _ask(self, number: int, also: Mapping[str, str]) -> None:
        headers = {**self._headers, **also}
        async with httpx2.AsyncClient(headers=headers, timeout=TIMEOUT, verify=False) as http:
            while not self._end.is_set():
                try:
                    answer = await http.get(self._url)
                except httpx2.HTTPError as error:
                    self.failures[type(error).__name__] += 1
                else:
                    self._count(number, answer.status_code)
                await asyncio.sleep(PAUSE)

    def _count(self, number: int, status: int) -> None:
        if status >= ERROR:
            self.failures[str(status)] += 1
        else:
            self._served[number] += 1
