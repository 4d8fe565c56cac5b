"""The operator's page on the node: a step of the `scenario`, through the command that a user has for it."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from tools.commands import StepFailed
from tools.node.cluster import NAME, OPERATOR, Cluster

TIMEOUT: Final = 30.0
SHOWN: Final = ("coder", "platform")
"""What a person sees who looks for objects: names of the examples."""


def look(cluster: Cluster) -> str:
    """Before a container of the operator has been killed, and after, through one and the same forwarded port."""
    with _forwarded(cluster) as url:
        _expect_objects(url)
        _expect_refusal(url)
        for pod in cluster.pods(OPERATOR):
            cluster.kill(pod)
        _expect_objects(url)
    return f"it was at {url}, and is again after its container was killed"


@contextlib.contextmanager
def _forwarded(cluster: Cluster) -> Iterator[str]:
    """The address that `coder-enterprise page` prints, while it runs."""
    command = ["page", "--namespace", NAME, "--port", "0", "--no-browser"]
    with cluster.started(*command) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url.startswith("http://127.0.0.1:"):
            raise StepFailed(f"coder-enterprise page printed {url!r}, and no address")
        yield url


def _expect_objects(url: str) -> None:
    with urllib.request.urlopen(f"{url}/objects", timeout=TIMEOUT) as answer:
        text = answer.read().decode()
    missing = [name for name in SHOWN if name not in text]
    if missing:
        raise StepFailed(f"the page does not show {', '.join(missing)}")


def _expect_refusal(url: str) -> None:
    """Of a site that has taken the address of this machine for its name."""
    request = urllib.request.Request(url, headers={"Host": "evil.example"})
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT).close()
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.FORBIDDEN:
            return
        raise
    raise StepFailed("the page answers under any name")
