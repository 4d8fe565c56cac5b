"""How a process that stays learns that it shall end. Called by operator, server and workspace proxy."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable


def when_told_to_end(act: Callable[[], object]) -> None:
    """Call `act` in the running loop at each SIGTERM and SIGINT from now on, in place of what was done before.

    There is no moment in between: what came before is done by then, and what comes now waits for the loop.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, act)
