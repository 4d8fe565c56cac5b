"""The examples of deploy/, filled in for the server of a test, and what must stand beside them.

Used by the tests that apply them by hand, with Flux and with Argo CD.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import yaml

from tests.support.kubernetes import Namespace
from tests.support.manifests import Body
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer, license_for_tests
from tools.wsproxy_process import WorkspaceProxyProcess

EXAMPLES: Final = Path(__file__).parents[2] / "deploy" / "examples"
SCIM_KEY: Final = "canary-of-scim-0815"
FIRST_PASSWORD: Final = "Canary-of-a-first-Password-4711"
SETTINGS: Final = {"CODER_SCIM_AUTH_HEADER": SCIM_KEY, "CODER_PROXY_HEALTH_INTERVAL": "1s"}
"""What the server needs. It has no licence: that is one of the examples."""
KINDS: Final = (
    "CoderDeployment",
    "CoderGroup",
    "CoderUser",
    "CoderTemplateACL",
    "CoderAppearance",
    "CoderLicense",
    "CoderWorkspaceProxy",
)
PROXY_TOKENS: Final = ("sydney-token", "frankfurt-token")


def files(server: CoderServer) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The files of the examples by name, and the secrets in them."""
    secrets = {
        "paste-the-session-token-here": server.token,
        "paste-the-scim-key-here": SCIM_KEY,
        "paste-the-licence-here": license_for_tests(),
        "paste-a-first-password-here": FIRST_PASSWORD,
    }
    texts = {path.name: path.read_text() for path in sorted(EXAMPLES.glob("*.yaml"))}
    for placeholder, real in {"https://coder.example.com": server.url, **secrets}.items():
        assert any(placeholder in text for text in texts.values())
        texts = {name: text.replace(placeholder, real) for name, text in texts.items()}
    return texts, secrets


def bodies(texts: Mapping[str, str]) -> list[Body]:
    return [body for text in texts.values() for body in yaml.safe_load_all(text) if body]


def prepare(coder: CoderAPI) -> None:
    """What the examples expect in Coder."""
    for name in ("gpu-workstation", "docker"):
        coder.create_template(name)
    coder.create_user("zoe")


@contextmanager
def proxies(namespace: Namespace, server: CoderServer, folder: Path) -> Iterator[list[str]]:
    """The workspace proxies themselves run, as soon as they have tokens, which are yielded."""
    with ExitStack() as stack:
        tokens = [_token(namespace, name) for name in PROXY_TOKENS]
        for name, token in zip(PROXY_TOKENS, tokens, strict=True):
            stack.enter_context(WorkspaceProxyProcess(server.url, token, folder / f"{name}.log"))
        yield tokens


def not_ready(namespace: Namespace) -> dict[str, str]:
    """The reasons of all that are not."""
    found = {}
    for kind in KINDS:
        for body in namespace.all(kind):
            name = body["metadata"]["name"]
            ready = namespace.condition(kind, name)
            current = ready.get("observedGeneration") == body["metadata"]["generation"]
            if ready.get("status") != "True" or not current:
                found[f"{kind} {name}"] = ready.get("reason", "")
    return found


def _token(namespace: Namespace, name: str) -> str:
    return wait_until(
        lambda: namespace.secret(name).get("CODER_PROXY_SESSION_TOKEN", ""), f"{name} is there", timeout=60
    )
