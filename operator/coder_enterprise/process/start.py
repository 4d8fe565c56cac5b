"""The first moments of the process: before anything is imported it can be told to end, and has a home.

Called by `coder_enterprise.__main__`, and light: until it has run, a process with the id 1 ignores SIGTERM, and
imports take seconds on a busy node. What a command must do at its end is its own: it replaces the handler of here.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

STAYING = frozenset({"operator", "server", "wsproxy"})
"""Commands that run until they are told to end."""


def prepare(arguments: Sequence[str]) -> None:
    """`arguments` are those of the command line, with the command first."""
    _have_streams()
    stays = bool(arguments) and arguments[0] in STAYING
    for number in (signal.SIGTERM, signal.SIGINT):
        if stays or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end_well if stays else _end_unfinished)
    _have_a_home()


def hand_over() -> None:
    """All is imported: from here on a command sees itself that it shall end, and may leave things in order."""
    if signal.getsignal(signal.SIGINT) is _end_unfinished:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is _end_unfinished:
        signal.signal(signal.SIGTERM, _unwind)


def does_not_stay() -> None:
    """Called by what is named like a command that stays, and is none: to be ended is to be left unfinished."""
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is _end_well:
            signal.signal(number, _end_unfinished)
    hand_over()


def _end_well(_number: int, _frame: FrameType | None) -> None:
    """Nothing has been served or promised yet. At once: an exception could be caught by whatever is being imported."""
    os._exit(0)


def _end_unfinished(number: int, _frame: FrameType | None) -> None:
    """As a shell tells it of a command that a signal has ended, which the process with the id 1 cannot be."""
    os._exit(128 + number)


def _unwind(number: int, _frame: FrameType | None) -> None:
    """The second time at once."""
    signal.signal(number, _end_unfinished)
    raise SystemExit(128 + number)


def _have_streams() -> None:
    """Also those that the caller has closed: what is opened next would be in their place, and be written to. What the
    output has no character for, it shows as JSON does, so that JSON stays what it is."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115 - for good
    codecs.register_error("escaped", _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper):  # nobody has replaced it yet
        sys.stdout.reconfigure(errors="escaped")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    import json

    assert isinstance(error, UnicodeEncodeError)  # nothing is read from there
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _have_a_home() -> None:
    """As container runtimes set it, for a user without an entry in passwd: libraries look for files there."""
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib raises, and takes time to import
        os.environ["HOME"] = "/"
