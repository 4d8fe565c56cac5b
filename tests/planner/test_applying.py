"""Applying without Kubernetes does what the plan said, once, and again does nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.planner.applying import Applier, Outcome, Result
from coder_enterprise.planner.manifests import read
from coder_enterprise.planner.planning import AT_ONCE
from coder_enterprise.planner.servers import Access
from tests.support.manifests import Body, group, members, proxy, template_acl, user
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer


@pytest.fixture
def apply(server: CoderServer, tmp_path: Path) -> Callable[..., Any]:
    async def make(*bodies: Body, **settings: Any) -> Result:
        (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(bodies))
        return await Applier(read([str(tmp_path)]), Access(server.url, server.token), **settings).apply()

    return make


def outcome(result: Result, kind: str, name: str) -> Outcome:
    return result.outcomes[Key(kind, "default", name)]


async def test_objects_are_made_after_what_they_refer_to(apply: Any, coder: CoderAPI) -> None:
    coder.create_template("applied")
    bodies = [
        template_acl("applied", template={"name": "applied"}, groups=[{"groupRef": {"name": "crew"}, "role": "use"}]),
        group("crew", displayName="Crew", members=members("zoe@example.com")),
        user("zoe"),
    ]
    result = await apply(*bodies)
    assert set(result.outcomes.values()) == {Outcome.APPLIED}
    assert coder.members("crew") == {"zoe"}
    again = await apply(*bodies)
    again.outcomes.pop(Key("CoderTemplateACL", "default", "applied"))  # whose groups not every profile shows
    assert set(again.outcomes.values()) == {Outcome.UNCHANGED}


async def test_what_exists_is_changed_only_where_its_policy_allows_it(apply: Any, coder: CoderAPI) -> None:
    coder.create_group("theirs", display_name="Theirs")
    result = await apply(group("theirs", displayName="Ours"))
    assert outcome(result, "CoderGroup", "theirs") is Outcome.REFUSED
    assert coder.group("theirs")["display_name"] == "Theirs"
    result = await apply(group("theirs", displayName="Ours", adoptionPolicy="Adopt"))
    assert outcome(result, "CoderGroup", "theirs") is Outcome.APPLIED
    assert coder.group("theirs")["display_name"] == "Ours"


async def test_a_proxy_is_left_to_a_cluster_which_can_hold_its_token(apply: Any, coder: CoderAPI) -> None:
    result = await apply(proxy("tokenless"))
    assert outcome(result, "CoderWorkspaceProxy", "tokenless") is Outcome.LEFT
    assert "only a cluster has" in result.messages[Key("CoderWorkspaceProxy", "default", "tokenless")]
    assert "tokenless" not in coder.proxies()


async def test_what_an_operator_works_for_is_let_be(apply: Any, coder: CoderAPI) -> None:
    result = await apply(
        group("operated"), claimed={Key("CoderGroup", "default", "operated"): "an operator works for it"}
    )
    assert outcome(result, "CoderGroup", "operated") is Outcome.LEFT
    assert coder.find_group("operated") is None


async def test_of_two_that_claim_one_thing_neither_is_applied(apply: Any, coder: CoderAPI) -> None:
    result = await apply(group("rival-a", name="rival"), group("rival-b", name="rival"), group("bystander"))
    assert {outcome(result, "CoderGroup", name) for name in ("rival-a", "rival-b")} == {Outcome.REFUSED}
    assert coder.find_group("rival") is None
    assert outcome(result, "CoderGroup", "bystander") is Outcome.APPLIED


async def test_one_that_fails_keeps_no_other_from_being_applied(apply: Any, coder: CoderAPI) -> None:
    coder.create_user("taken")
    result = await apply(user("imposter", username="taken"), group("unharmed"))
    assert outcome(result, "CoderUser", "imposter") in (Outcome.LEFT, Outcome.FAILED)
    assert outcome(result, "CoderGroup", "unharmed") is Outcome.APPLIED


async def test_a_server_that_dies_meanwhile_fails_what_is_left_and_it_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([group(f"later-{number}") for number in range(AT_ONCE + 4)]))
    with CoderServer() as mortal:
        access = Access(mortal.url, mortal.token)

        def end(done: int, of: int) -> None:
            if done == 1:
                mortal.kill()

        first = await Applier(read([str(tmp_path)]), access, progress=end).apply()
        assert first.counts[Outcome.FAILED] > 0
        mortal.start()
        again = await Applier(read([str(tmp_path)]), Access(mortal.url, mortal.token)).apply()
        assert set(again.outcomes.values()) <= {Outcome.APPLIED, Outcome.UNCHANGED}
        assert len(again.outcomes) == AT_ONCE + 4
