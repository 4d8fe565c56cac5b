"""Where in the manifests something is, and what is wrong there. Made by all who read them; shown with the plan."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Origin:
    file: str
    line: int

    @override
    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that cannot be read. The rest is read all the same."""

    origin: Origin
    message: str

    @override
    def __str__(self) -> str:
        return f"{self.origin}: {self.message}"


class FaultError(Exception):
    """Ends the reading of one file."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault
