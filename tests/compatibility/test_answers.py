"""Every call of `data/answers.toml`, in both wire profiles: its status, its form, and in `codersdk` the keys that the
Go SDK decodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx2
import pytest

from coder_enterprise.wire.profiles import Profile
from tests.compatibility.world import Call, World, facts

FACTS: Final = facts("answers.toml")
CALLS: Final[list[Call]] = FACTS["calls"]
TYPES: Final[Mapping[str, str]] = FACTS["types"]

Answers = list[httpx2.Response]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[Profile, tuple[World, Answers]]:
    """Each with what was answered to all calls, in their order."""

    async def ask(profile: Profile) -> tuple[World, Answers]:
        async with World.made(profile, tmp_path_factory.mktemp(profile)) as world:
            return world, [await world.send(call) for call in CALLS]

    return {profile: asyncio.run(ask(profile)) for profile in Profile}


@pytest.mark.parametrize("number", range(len(CALLS)), ids=[f"{n}: {call['call']}" for n, call in enumerate(CALLS)])
@pytest.mark.parametrize("profile", Profile)
def test_it_answers_as_coder_does(worlds: dict[Profile, tuple[World, Answers]], profile: Profile, number: int) -> None:
    (world, answers), call = worlds[profile], CALLS[number]
    answer, form = answers[number], world.told(call, "form", call.get("answers", ""))
    assert answer.status_code == world.told(call, "status", 0), answer.text
    assert call.get("says", "") in answer.text
    if form:
        assert isinstance(answer.json(), list) is form.endswith("[]")
    if form and profile is Profile.CODERSDK:
        assert list(missing(form, answer.json())) == []


def missing(form: str, value: Any) -> Iterator[str]:
    """Keys of the type `form` that Coder always sends, and `value` has not; Go decodes them in any case of letters."""
    if form.endswith("[]"):
        for item in value or ():
            yield from missing(form.removesuffix("[]"), item)
    elif form.endswith("{}"):
        for item in (value or {}).values():
            yield from missing(form.removesuffix("{}"), item)
    elif form and value is not None:
        sent = {name.lower(): item for name, item in value.items()}
        for key, kind in (item.partition(":")[::2] for item in TYPES[form].split()):
            name = key.removesuffix("?")
            if name.lower() in sent:
                yield from missing(kind, sent[name.lower()])
            elif not key.endswith("?"):
                yield f"{form}.{name}"
