"""Sessions: few, short, and each a new one."""

from __future__ import annotations

import pytest

from coder_enterprise.page.access import limits, sessions
from coder_enterprise.page.access.identity import Identity
from coder_enterprise.page.access.limits import Attempts, Streams, TooMany
from coder_enterprise.page.access.sessions import Sessions

ALICE = Identity("alice")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_session_is_found_until_it_ends(clock: Clock) -> None:
    kept = Sessions(clock)
    name = kept.begin(ALICE, "token", "cookie")
    assert (found := kept.find(name)) is not None
    assert found.identity == ALICE
    kept.end(name)
    assert kept.find(name) is None


def test_neither_a_session_nor_its_name_shows_the_token(clock: Clock) -> None:
    kept = Sessions(clock)
    name = kept.begin(ALICE, "very-secret", "cookie")
    assert "very-secret" not in name + repr(kept.find(name))


def test_a_session_that_is_not_used_ends(clock: Clock) -> None:
    kept = Sessions(clock)
    name = kept.begin(ALICE, "token", "cookie")
    clock.now += sessions.IDLE + 1
    assert kept.find(name) is None
    assert len(kept) == 0


def test_sessions_that_are_over_are_forgotten_though_nobody_comes(clock: Clock) -> None:
    kept = Sessions(clock)
    kept.begin(ALICE, "token", "cookie")
    clock.now += sessions.IDLE
    name = kept.begin(ALICE, "token", "cookie")
    clock.now += 1
    kept.forget_over()
    assert len(kept) == 1
    assert kept.find(name)


def test_a_session_that_is_used_ends_some_day_too(clock: Clock) -> None:
    kept = Sessions(clock)
    name = kept.begin(ALICE, "token", "cookie")
    for _ in range(int(sessions.LONGEST // sessions.IDLE)):
        clock.now += sessions.IDLE
        assert kept.find(name)
    clock.now += 1
    assert kept.find(name) is None


def test_of_too_many_sessions_of_one_person_the_oldest_ends(clock: Clock) -> None:
    kept = Sessions(clock)
    of_bob = kept.begin(Identity("bob"), "token", "cookie")
    names = [kept.begin(ALICE, "token", "cookie") for _ in range(sessions.MOST_OF_ONE + 1)]
    assert [kept.find(name) is not None for name in names] == [False, *[True] * sessions.MOST_OF_ONE]
    assert kept.find(of_bob)


def test_of_too_many_sessions_the_one_that_was_used_the_longest_ago_ends(clock: Clock) -> None:
    kept = Sessions(clock)
    names = [kept.begin(Identity(str(number)), "token", "cookie") for number in range(sessions.MOST)]
    assert kept.find(names[0])
    kept.begin(ALICE, "token", "cookie")
    assert len(kept) == sessions.MOST
    assert kept.find(names[0])
    assert kept.find(names[1]) is None


def test_who_tries_tokens_that_are_none_waits(clock: Clock) -> None:
    attempts = Attempts(clock)
    for _ in range(limits.ATTEMPTS):
        attempts.check("10.0.0.1")
        attempts.failed("10.0.0.1")
    with pytest.raises(TooMany) as refused:
        attempts.check("10.0.0.1")
    attempts.check("10.0.0.2")
    clock.now += refused.value.wait
    attempts.check("10.0.0.1")


def test_failures_of_many_addresses_take_no_more_memory(clock: Clock) -> None:
    attempts = Attempts(clock)
    for number in range(limits.ADDRESSES + 10):
        attempts.failed(str(number))
    assert len(attempts._failures) == limits.ADDRESSES


def test_one_person_has_so_many_streams_and_others_theirs() -> None:
    streams = Streams()
    held = [streams.one("alice") for _ in range(limits.STREAMS_OF_ONE)]
    for one in held:
        one.__enter__()
    with pytest.raises(TooMany):
        streams.one("alice").__enter__()
    with streams.one("bob"):
        pass
    held.pop().__exit__(None, None, None)
    with streams.one("alice"):
        pass
