"""`events --watch` and `status KIND/NAME --watch`: each look is a line, as soon as something is new, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cli.test_status import event, put_events
from tests.support.command import condition, process, put
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group

WAITS = condition("Ready", "False", "WaitingForDeployment", "waits")
READY = condition("Ready", "True", "Applied", "applied")


@contextmanager
def watching(namespace: Namespace, *words: str) -> Iterator[subprocess.Popen[str]]:
    options = ("--watch", "--output", "json", "--namespace", namespace.name)
    with process(*words, *options, KUBECONFIG=str(namespace.plane.kubeconfig)) as child:
        yield child


def line(child: subprocess.Popen[str]) -> Any:
    assert child.stdout is not None
    return json.loads(child.stdout.readline())


def ended_by_ctrl_c(child: subprocess.Popen[str]) -> tuple[int, str]:
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    return child.returncode, said


def test_events_go_on_with_each_that_comes_and_once(namespace: Namespace) -> None:
    put_events(namespace, event("twin", "Before"))
    with watching(namespace, "events") as child:
        assert line(child)["reason"] == "Before"
        put_events(namespace, event("twin", "Later", at="2026-01-02T00:00:00.000000Z"))
        assert line(child)["reason"] == "Later"
        namespace.patch("Event", "twin.before", {"metadata": {"labels": {"seen": "again"}}})  # which is no news
        namespace.delete("Event", "twin.before")
        put_events(namespace, event("other", "Last", at="2026-01-03T00:00:00.000000Z"))
        assert line(child)["reason"] == "Last"
        assert ended_by_ctrl_c(child) == (130, "coder-enterprise events: interrupted\n")


def test_events_of_one_object_are_followed_alone(namespace: Namespace) -> None:
    with watching(namespace, "events", "--for", "codergroup/mine") as child:
        put_events(namespace, event("other", "Foreign"), event("mine", "Own"))
        assert line(child)["reason"] == "Own"
        assert ended_by_ctrl_c(child)[0] == 130


def reason(document: Any) -> str:
    [ready] = [each for each in document["sections"][0]["conditions"] if each["type"] == "Ready"]
    return str(ready["reason"])


def test_one_object_is_looked_at_again_until_it_goes(namespace: Namespace) -> None:
    namespace.apply(deployment("https://coder.test"))
    put(namespace, group("mine"), WAITS)
    with watching(namespace, "status", "codergroup/mine") as child:
        assert reason(line(child)) == "WaitingForDeployment"
        put(namespace, group("mine"), READY)
        while reason(line(child)) != "Applied":
            pass
        namespace.delete("CoderGroup", "mine")
        _, said = child.communicate(timeout=60)
        assert child.returncode == 1
        assert said.startswith("coder-enterprise status: there is no CoderGroup mine in the namespace ")


def test_a_look_at_one_object_ends_with_ctrl_c(namespace: Namespace) -> None:
    put(namespace, group("mine"), READY)
    with watching(namespace, "status", "codergroup/mine") as child:
        line(child)
        assert ended_by_ctrl_c(child) == (130, "coder-enterprise status: interrupted\n")
