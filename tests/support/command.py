"""The command line in this process, and objects that stand as a test wants them, without an operator."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from coder_enterprise.cli.main import app
from tests.support.kubernetes import Body, Namespace

PROGRAM = Path(sys.executable).with_name("coder-enterprise")
LONG_AGO = "2020-01-01T00:00:00Z"


def command(*words: str, typed: str | None = None, **environment: str) -> Result:
    """As somebody runs it whose terminal is no terminal; `typed` comes on standard input."""
    return CliRunner().invoke(app, list(words), input=typed, env=environment, catch_exceptions=False)


@contextmanager
def process(*words: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """As a process of its own, for signals and for what does not end by itself; it ends with the block at last."""
    pipe = subprocess.PIPE
    command = [str(PROGRAM), *map(str, words)]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as child:
        try:
            yield child
        finally:
            child.kill()


def in_cluster(namespace: Namespace, *words: str, typed: str | None = None) -> Result:
    """With the kubeconfig and the name of that namespace, which the last words may still change."""
    return command(*words, "--kubeconfig", str(namespace.plane.kubeconfig), "--namespace", namespace.name, typed=typed)


def condition(type_: str, status: str, reason: str, message: str = "", since: str = LONG_AGO) -> Body:
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


def put(namespace: Namespace, body: Body, *conditions: Body, **status: Any) -> None:
    """Apply the object, and write its status as an operator would that has just visited it."""
    kind, name = body["kind"], body["metadata"]["name"]
    namespace.apply(body)
    generation = namespace.get(kind, name)["metadata"]["generation"]
    written = {"observedGeneration": generation, "conditions": list(conditions), **status}
    namespace.patch(kind, name, {"status": written}, "status")
