"""The page of a real operator: what kubectl changes is told and shown, and events are those of Kubernetes."""

from __future__ import annotations

import re

import httpx2

from tests.support.kubernetes import Namespace
from tests.support.manifests import group, members
from tests.support.waiting import wait_until
from tools.operator_process import OperatorProcess


def test_a_change_is_told_and_shown(connected: Namespace, operator: OperatorProcess) -> None:
    with httpx2.Client(base_url=operator.page, trust_env=False, timeout=30) as client:
        overview = client.get("/")
        assert f"{connected.name}/<b>coder</b>" in overview.text
        seen = re.search(r'data-seen="([^"]+)"', overview.text)
        assert seen
        with client.stream("GET", f"/live?seen={seen[1]}") as stream:
            lines = stream.iter_lines()
            connected.apply(group("platform", members=members("zoe@example.com")))
            assert "event: changed" in lines
        connected.wait_for("CoderGroup", "platform", "PendingMembers")
        assert ">platform<" in client.get("/objects?reason=PendingMembers").text
        page = f"/objects/codergroups/{connected.name}/platform"
        wait_until(lambda: "PendingMembers" in client.get(page).text, "the page shows what status says")
        assert "zoe@example.com" in client.get(page).text
        wait_until(lambda: "What was changed in Coder" in client.get(page).text, "the journal is there")
        assert "They cannot be shown" not in client.get(page).text
