"""`python -m tests.support.shifted FILE ARGUMENTS…`: coder-enterprise, whose clock is as many seconds off as FILE says.

FILE is read at each look at the clock, so that it jumps while the program runs. What is shifted is what Python code of
the process reads: `time.time`, `time.time_ns` and `datetime.now`. The clocks that only count stay as they are, as when
somebody sets the time of a machine, and so do the clocks of what is written in C, and of all other processes.
"""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path
from typing import Any

from typing_extensions import override

_real_time = time.time
_real_datetime = datetime.datetime


class _Kind(type):
    """What C code makes is a datetime of its own."""

    @override
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _real_datetime)


class Shifted(_real_datetime, metaclass=_Kind):
    @override
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _real_datetime.fromtimestamp(time.time(), tz)


def shift(clock: Path) -> None:
    """Before anything else is imported: names of functions and classes are taken then."""

    def shifted() -> float:
        return _real_time() + float(clock.read_text() or 0)

    time.time = shifted
    time.time_ns = lambda: int(shifted() * 1e9)
    datetime.datetime = Shifted  # type: ignore[misc]


def main() -> None:
    shift(Path(sys.argv[1]))
    sys.argv[1:] = sys.argv[2:]
    from coder_enterprise.__main__ import main as run

    run()


if __name__ == "__main__":
    main()
