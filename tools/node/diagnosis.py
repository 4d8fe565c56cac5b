"""What is shown when a step fails: pods, events, their logs, and the ends of the programs' logs. Called by `inside`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tools.kubernetes.control_plane import ControlPlane

LINES: Final = 40
LOG_TAIL: Final = 3000
QUESTIONS: Final = (
    ("get", "pods", "--all-namespaces", "--output=wide"),
    ("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"),
    ("describe", "pods", "--all-namespaces"),
)


def show(plane: ControlPlane, logs: Path) -> None:
    """Prints; raises nothing that kubectl answers."""
    for question in QUESTIONS:
        _ask(plane, *question)
    for pod in plane.get("pods", "--all-namespaces")["items"]:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        for more in ((), ("--previous",)):
            _ask(plane, "logs", name, "--namespace", namespace, "--all-containers", f"--tail={LINES}", *more)
    for log in sorted(logs.glob("*.log")):
        _print(str(log), log.read_text(errors="replace")[-LOG_TAIL:])


def _ask(plane: ControlPlane, *question: str) -> None:
    done = plane.kubectl(*question, check=False)
    _print(f"kubectl {' '.join(question)}", done.stdout + done.stderr)


def _print(title: str, text: str) -> None:
    print(f"--- {title}\n{text.rstrip()}", flush=True)
