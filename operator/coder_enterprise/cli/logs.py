"""Logs: JSON lines where nobody watches, readable text on a terminal. Called once, by the commands that stay."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

# Where they are installed, structlog imports these for what is not used here: 4 MiB.
_SPARED = [name for name in ("rich", "greenlet") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_SPARED))  # type: ignore[arg-type]  # None is how Python is told that it is not there
import structlog  # noqa: E402
from structlog.typing import Processor  # noqa: E402

for name in _SPARED:
    del sys.modules[name]


class _Lines:
    """What structlog writes to: a line of our own says by itself what `logging` would find out of each again."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        """Nothing fails because nobody can be told of it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")

    debug = info = warning = error = critical = msg


def configure(level: int = logging.INFO) -> None:
    """Everything to standard error, in one format; libraries only from WARNING on."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Without the values of variables, which a traceback of rich shows: a token may be among them.
    readable = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    stream = sys.stderr
    last: Processor = readable if stream.isatty() else structlog.processors.JSONRenderer()
    rendering: list[Processor] = [structlog.processors.format_exc_info, last]
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=lambda name: _Lines(name, stream),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("coder_enterprise").setLevel(level)
    # Kopf reports each broken watch connection at ERROR and then repairs it by itself.
    logging.getLogger("kopf").setLevel(logging.CRITICAL)
