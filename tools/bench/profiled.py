"""`python -m tools.bench.profiled operator …`: the operator as it is, and where its CPU goes, in a table at its end.

A sample every five milliseconds of CPU that the process uses, so that waiting does not count, nor how busy the machine
is. Started by `make bench ARGS="profile"`, which writes the table to where BENCH_PROFILE says.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import ClassVar, Final

from coder_enterprise.__main__ import main as run
from tools.operator_process import OperatorProcess

INTERVAL: Final = 0.005
SHOWN: Final = 45
TABLE: Final = "BENCH_PROFILE"


class ProfiledOperator(OperatorProcess):
    module: ClassVar[str] = "tools.bench.profiled"


class Samples:
    def __init__(self) -> None:
        self._own: Counter[CodeType] = Counter()
        self._with_callees: Counter[CodeType] = Counter()
        self._all = 0

    def take(self, _signal: int, frame: FrameType | None) -> None:
        self._all += 1
        if frame is not None:
            self._own[frame.f_code] += 1
        seen = set()
        while frame is not None:
            seen.add(frame.f_code)
            frame = frame.f_back
        self._with_callees.update(seen)

    def table(self) -> str:
        """Shares of all samples, in percent: of a function itself, and with what it calls."""
        lines = [f"{self._all * INTERVAL:.1f} s of CPU", "", "itself  with callees"]
        for counted in (self._own, self._with_callees):
            lines += [self._line(code) for code, _ in counted.most_common(SHOWN)] + [""]
        return "\n".join(lines)

    def _line(self, code: CodeType) -> str:
        own, both = (100 * counted[code] / max(1, self._all) for counted in (self._own, self._with_callees))
        return f"{own:5.1f}   {both:5.1f}        {_where(code)}"


def _where(code: CodeType) -> str:
    place = "/".join(Path(code.co_filename).parts[-2:])
    return f"{place}:{code.co_firstlineno} {code.co_qualname}"


def main() -> None:
    samples = Samples()
    signal.signal(signal.SIGPROF, samples.take)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        run()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        Path(os.environ[TABLE]).write_text(samples.table())


if __name__ == "__main__":
    main()
