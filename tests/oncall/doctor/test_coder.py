"""Findings about one Coder that need no cluster: its version, and what its token may do."""

from __future__ import annotations

from typing import Any

import pytest

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.kinds.registry import MANAGED_KINDS
from coder_enterprise.oncall.doctor import coder as doctor
from coder_enterprise.oncall.doctor.findings import About, Level
from tests.support.scripted import HTML, NO_ROUTE, Scripted, client, no_proxies, server

__all__ = ["client", "no_proxies", "server"]
ABOUT = About("default/coder")
GROUP = next(kind for kind in MANAGED_KINDS if kind.names.kind == "CoderGroup")


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("v2.20.0", Level.OK),
        ("v2.1.5", Level.WARNING),
        ("v99.0.0-devel+tomorrow", Level.OK),
        ("devel", Level.OK),
        ("", Level.OK),
    ],
)
def test_only_a_version_that_is_known_to_be_too_old_is_warned_of(version: str, level: Level) -> None:
    assert doctor._version(ABOUT, version, "").level is level


async def judged(client: CoderClient, roles: list[str]) -> list[tuple[Level, str]]:
    return [(each.level, each.message) for each in await doctor._rights(ABOUT, client, [GROUP], roles)]


def allow(server: Scripted, verdicts: Any) -> None:
    server.answer("/authcheck", verdicts, method="POST")


async def test_coder_is_believed_and_not_the_name_of_a_role(server: Scripted, client: CoderClient) -> None:
    allow(server, {"read group": True, "create group": True, "update group": True, "delete group": True})
    [(level, message)] = await judged(client, ["owner"])
    assert level is Level.WARNING
    assert message == "CoderGroup may be refused: the token may not read user"


@pytest.mark.parametrize("role", ["owner", "user-admin"])
@pytest.mark.parametrize("answer", [{"status": 404}, {"text": HTML}, {"body": ["?"]}], ids=str)
async def test_where_coder_does_not_tell_the_role_decides(
    server: Scripted, client: CoderClient, role: str, answer: dict[str, Any]
) -> None:
    server.answer("/authcheck", **({"body": NO_ROUTE} | answer), method="POST")
    [(level, _)] = await judged(client, [role])
    assert level is (Level.OK if role == "owner" else Level.WARNING)
