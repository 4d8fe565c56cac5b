"""The yamux codec: what it accepts and refuses, and that no peer can make it break a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from coder_enterprise.wire.provisioning import yamux
from coder_enterprise.wire.provisioning.yamux import ACK, FIN, RST, SYN, Kind, Role, Side
from tests.support.pieces import CUTS, split

ALL = 2**30


def frame(kind: int, flags: int, stream: int, length: int, data: bytes = b"", version: int = 0) -> bytes:
    return yamux.HEADER.pack(version, kind, flags, stream, length) + data


def data_frame(stream: int, data: bytes, flags: int = 0) -> bytes:
    return frame(Kind.DATA, flags, stream, len(data), data)


OPEN = frame(Kind.WINDOW_UPDATE, SYN, 1, 0)


def joined(happened: Iterable[yamux.Event]) -> list[yamux.Event]:
    """Data of one stream that follow each other are one event."""
    result: list[yamux.Event] = []
    for event in happened:
        last = result[-1] if result else None
        if isinstance(event, yamux.Data) and isinstance(last, yamux.Data) and event.stream == last.stream:
            result[-1] = yamux.Data(event.stream, last.data + event.data)
        else:
            result.append(event)
    return result


def drain(session: Side) -> Iterator[yamux.Event]:
    while (event := session.next_event()) is not None:
        yield event


def events(session: Side, *pieces: bytes) -> list[yamux.Event]:
    """What happens when the pieces arrive."""
    happened: list[yamux.Event] = []
    for piece in pieces:
        session.receive(piece)
        happened.extend(drain(session))
    return joined(happened)


def sent(session: Side) -> bytes:
    return session.data_to_send(ALL)


def heads(data: bytes) -> list[tuple[int, int, int, int]]:
    """Kind, flags, stream and length of all frames."""
    found = []
    while data:
        _, kind, flags, stream, length = yamux.HEADER.unpack_from(data)
        found.append((kind, flags, stream, length))
        data = data[yamux.HEADER.size + (length if kind == Kind.DATA else 0) :]
    return found


def server(*pieces: bytes) -> Side:
    """A server that has received the pieces and forgotten what it sent."""
    session = Side(Role.SERVER)
    events(session, *pieces)
    sent(session)
    return session


def test_the_client_opens_odd_streams_and_the_server_even_ones() -> None:
    client, peer = Side(Role.CLIENT), Side(Role.SERVER)
    assert [client.open(), client.open(), peer.open(), peer.open()] == [1, 3, 2, 4]
    assert heads(sent(client)) == [(Kind.WINDOW_UPDATE, SYN, 1, 0), (Kind.WINDOW_UPDATE, SYN, 3, 0)]


def test_a_stream_is_accepted_with_the_first_frame_that_is_sent_on_it() -> None:
    session = server(OPEN)
    session.send(1, b"hello")
    session.accept(1)
    assert heads(sent(session)) == [(Kind.DATA, ACK, 1, 5)]


def test_a_stream_may_be_opened_used_and_finished_by_one_frame() -> None:
    assert events(Side(Role.SERVER), data_frame(1, b"all", SYN | FIN)) == [
        yamux.Opened(1),
        yamux.Data(1, b"all"),
        yamux.Finished(1),
    ]


def test_the_opener_learns_that_its_stream_is_accepted() -> None:
    client = Side(Role.CLIENT)
    client.open()
    assert events(client, frame(Kind.WINDOW_UPDATE, ACK, 1, 0)) == [yamux.Accepted(1)]


def test_what_the_peer_sends_after_we_finished_still_arrives() -> None:
    session = server(OPEN)
    session.finish(1)
    assert heads(sent(session)) == [(Kind.WINDOW_UPDATE, ACK | FIN, 1, 0)]
    assert events(session, data_frame(1, b"late"), frame(Kind.WINDOW_UPDATE, FIN, 1, 0)) == [
        yamux.Data(1, b"late"),
        yamux.Finished(1),
    ]


def test_we_may_send_after_the_peer_finished() -> None:
    session = server(OPEN, frame(Kind.WINDOW_UPDATE, FIN, 1, 0))
    assert session.send(1, b"answer") == 6


def test_nothing_can_be_sent_on_a_stream_that_was_finished() -> None:
    session = server(OPEN)
    session.finish(1)
    with pytest.raises(yamux.StreamDead):
        session.send(1, b"more")
    assert session.window(1) == 0


def test_a_reset_stream_is_dead_and_the_others_are_not() -> None:
    session = server(OPEN, frame(Kind.WINDOW_UPDATE, SYN, 3, 0))
    assert events(session, frame(Kind.WINDOW_UPDATE, RST, 1, 0)) == [yamux.Reset(1)]
    with pytest.raises(yamux.StreamDead):
        session.send(1, b"x")
    assert session.send(3, b"x") == 1


@pytest.mark.parametrize(
    "late",
    [
        data_frame(1, b"late"),
        data_frame(1, b"late", FIN),
        frame(Kind.WINDOW_UPDATE, 0, 1, 100),
        frame(Kind.WINDOW_UPDATE, RST, 1, 0),
    ],
)
def test_what_comes_for_a_stream_that_was_reset_here_is_dropped(late: bytes) -> None:
    session = server(OPEN)
    session.reset(1)
    assert heads(sent(session)) == [(Kind.WINDOW_UPDATE, RST, 1, 0)]
    assert events(session, late, data_frame(3, b"x", SYN)) == [yamux.Opened(3), yamux.Data(3, b"x")]


def test_the_rest_of_a_frame_is_dropped_when_its_stream_is_reset_in_between() -> None:
    session = server(OPEN)
    whole = data_frame(1, b"first-second")
    assert events(session, whole[:17]) == [yamux.Data(1, b"first")]
    session.reset(1)
    assert events(session, whole[17:], data_frame(3, b"x", SYN)) == [yamux.Opened(3), yamux.Data(3, b"x")]


def test_data_that_overtook_the_end_of_its_stream_is_dropped() -> None:
    session = server(OPEN, frame(Kind.WINDOW_UPDATE, FIN, 1, 0))
    assert events(session, data_frame(1, b"late"), frame(Kind.WINDOW_UPDATE, SYN, 3, 0)) == [yamux.Opened(3)]


def test_pings_are_answered_with_their_number() -> None:
    session = server()
    assert events(session, frame(Kind.PING, SYN, 0, 77)) == []
    assert heads(sent(session)) == [(Kind.PING, ACK, 0, 77)]


def test_only_an_answer_to_a_ping_of_ours_is_a_pong() -> None:
    session = server()
    number = session.ping()
    assert events(session, frame(Kind.PING, ACK, 0, 99), frame(Kind.PING, ACK, 0, number)) == [yamux.Pong(number)]
    assert events(session, frame(Kind.PING, ACK, 0, number)) == []


def test_a_window_is_given_back_when_half_of_it_is_used() -> None:
    session = server(OPEN)
    session.accept(1)
    half = yamux.INITIAL_WINDOW // 2
    events(session, data_frame(1, bytes(half)))
    sent(session)
    session.consumed(1, half - 1)
    assert sent(session) == b""
    session.consumed(1, 1)
    assert heads(sent(session)) == [(Kind.WINDOW_UPDATE, 0, 1, half)]


def test_no_more_is_sent_than_the_window_of_the_peer() -> None:
    session = server(OPEN)
    while session.send(1, bytes(ALL // 2**10)):
        pass
    total = sum(length for kind, _, _, length in heads(sent(session)) if kind == Kind.DATA)
    assert total == yamux.INITIAL_WINDOW
    assert events(session, frame(Kind.WINDOW_UPDATE, 0, 1, 10)) == [yamux.Writable(1)]
    assert session.send(1, bytes(100)) == 10


def test_streams_over_the_backlog_are_refused_and_the_rest_goes_on() -> None:
    session = Side(Role.SERVER)
    ids = range(1, 2 * yamux.ACCEPT_BACKLOG + 3, 2)
    opened = events(session, *(frame(Kind.WINDOW_UPDATE, SYN, stream, 0) for stream in ids))
    assert len(opened) == yamux.ACCEPT_BACKLOG
    assert heads(sent(session)) == [(Kind.WINDOW_UPDATE, RST, ids[-1], 0)]
    session.accept(1)
    assert events(session, frame(Kind.WINDOW_UPDATE, SYN, ids[-1] + 2, 0)) == [yamux.Opened(ids[-1] + 2)]


def test_no_more_streams_are_open_than_the_limit() -> None:
    session = Side(Role.SERVER)
    for stream in range(1, 2 * yamux.MAX_STREAMS, 2):
        events(session, frame(Kind.WINDOW_UPDATE, SYN, stream, 0))
        session.accept(stream)
    sent(session)
    assert events(session, data_frame(2 * yamux.MAX_STREAMS + 1, b"dropped", SYN)) == []
    assert heads(sent(session)) == [(Kind.WINDOW_UPDATE, RST, 2 * yamux.MAX_STREAMS + 1, 0)]


def test_no_stream_is_opened_while_the_peer_has_many_to_accept() -> None:
    session = Side(Role.CLIENT)
    for _ in range(yamux.ACCEPT_BACKLOG):
        session.open()
    assert not session.can_open
    with pytest.raises(yamux.Unavailable):
        session.open()
    events(session, frame(Kind.WINDOW_UPDATE, RST, 1, 0), frame(Kind.WINDOW_UPDATE, ACK, 3, 0))
    assert [session.open(), session.open()] == [129, 131]


def test_a_peer_that_goes_away_gets_no_new_streams_and_finishes_the_old_ones() -> None:
    session = server(OPEN)
    assert events(session, frame(Kind.GO_AWAY, 0, 0, 0)) == [yamux.GoneAway()]
    with pytest.raises(yamux.Unavailable):
        session.open()
    assert session.send(1, b"x") == 1


def test_streams_are_refused_after_we_went_away() -> None:
    session = server()
    session.go_away()
    assert events(session, data_frame(1, b"x", SYN)) == []
    assert heads(sent(session)) == [(Kind.GO_AWAY, 0, 0, 0), (Kind.WINDOW_UPDATE, RST, 1, 0)]


def test_streams_may_be_opened_out_of_order() -> None:
    session = Side(Role.SERVER)
    assert events(session, frame(Kind.WINDOW_UPDATE, SYN, 3, 0), OPEN) == [yamux.Opened(3), yamux.Opened(1)]
    session.reset(3)
    assert events(session, data_frame(3, b"late"), data_frame(1, b"x")) == [yamux.Data(1, b"x")]


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([frame(Kind.PING, SYN, 0, 1, version=1)], yamux.UnknownVersion),
        ([frame(4, 0, 0, 0)], yamux.UnknownKind),
        ([data_frame(1, b"x")], yamux.UnknownStream),
        ([frame(Kind.WINDOW_UPDATE, 0, 2, 1)], yamux.UnknownStream),
        ([data_frame(0, b"x")], yamux.UnknownStream),
        ([OPEN, OPEN], yamux.UnexpectedFrame),
        ([frame(Kind.WINDOW_UPDATE, SYN, 2, 0)], yamux.UnexpectedFrame),
        ([frame(Kind.WINDOW_UPDATE, SYN, 0, 0)], yamux.UnexpectedFrame),
        ([OPEN, *[frame(Kind.WINDOW_UPDATE, FIN, 1, 0)] * 2], yamux.UnexpectedFrame),
        ([OPEN, frame(Kind.DATA, 0, 1, yamux.INITIAL_WINDOW + 1)], yamux.Oversized),
        ([OPEN, frame(Kind.WINDOW_UPDATE, 0, 1, yamux.MAX_WINDOW)], yamux.Oversized),
        ([OPEN, data_frame(1, b"x"), frame(Kind.DATA, 0, 1, yamux.INITIAL_WINDOW)], yamux.WindowExceeded),
        ([frame(Kind.GO_AWAY, 0, 0, 1)], yamux.PeerFailed),
    ],
)
def test_what_is_not_allowed_ends_the_session(pieces: Sequence[bytes], error: type[yamux.SessionDead]) -> None:
    session = server()
    with pytest.raises(error):
        events(session, *pieces)
    told = [(Kind.GO_AWAY, 0, 0, yamux.Reason.PROTOCOL_ERROR)] if error.told else []
    assert heads(sent(session))[-1:] == told
    with pytest.raises(error):
        session.open()
    with pytest.raises(error):
        session.next_event()


def test_what_came_before_an_error_is_reported_first() -> None:
    session = Side(Role.SERVER)
    session.receive(OPEN + data_frame(1, b"good") + b"\xff" * 12)
    assert [session.next_event(), session.next_event()] == [yamux.Opened(1), yamux.Data(1, b"good")]
    with pytest.raises(yamux.UnknownVersion):
        session.next_event()


def test_a_session_ends_when_all_ids_are_used() -> None:
    session = Side(Role.CLIENT)
    session._streams._next_id = yamux.MAX_STREAM_ID
    session.open()
    with pytest.raises(yamux.StreamsExhausted):
        session.open()


FRAMES = st.builds(
    lambda kind, flags, stream, data: (
        data_frame(stream, data, flags) if kind == Kind.DATA else frame(kind, flags, stream, len(data))
    ),
    st.sampled_from([Kind.DATA, Kind.DATA, *Kind]),
    st.integers(0, 15),
    st.integers(0, 5),
    st.binary(max_size=40),
)


def outcome(pieces: Iterable[bytes]) -> tuple[list[yamux.Event], type[Exception] | None, bytes]:
    """All that can be seen of a server that receives the pieces: what happened, the error, and its answer."""
    session, happened = Side(Role.SERVER), []
    try:
        for piece in pieces:
            session.receive(piece)
            for event in drain(session):
                happened.append(event)  # noqa: PERF402 - those before an error count
    except yamux.SessionDead as error:
        return joined(happened), type(error), sent(session)
    return joined(happened), None, sent(session)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=30), CUTS)
def test_the_pieces_in_which_bytes_arrive_do_not_matter(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frames)
    assert outcome(split(data, cuts)) == outcome([data])


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=400), st.lists(FRAMES, max_size=30).map(b"".join)))
def test_garbage_is_refused_without_holding_more_than_it(data: bytes) -> None:
    session = Side(Role.SERVER)
    session.receive(data)
    try:
        for _ in drain(session):
            assert len(session._received) <= len(data)
            assert len(session._streams._open) <= yamux.MAX_STREAMS
    except yamux.SessionDead:
        assert not session._received
    assert session.pending <= len(data) + yamux.HEADER.size


class TwoSides(RuleBasedStateMachine):
    """A client and a server that say anything at any time over a slow connection."""

    @initialize()
    def connect(self) -> None:
        self.sides = {Role.CLIENT: Side(Role.CLIENT), Role.SERVER: Side(Role.SERVER)}
        self.wire = {role: bytearray() for role in Role}
        self.said: dict[tuple[Role, int], bytearray] = {}
        self.heard: dict[tuple[Role, int], bytearray] = {}
        self.unused: dict[tuple[Role, int], int] = {}
        self.broken: set[int] = set()
        self.streams: list[int] = []

    @rule(role=st.sampled_from(Role))
    def open(self, role: Role) -> None:
        if self.sides[role].can_open and len(self.streams) < 20:
            self.streams.append(self.sides[role].open())

    @precondition(lambda self: self.streams)
    @rule(role=st.sampled_from(Role), pick=st.integers(0, 100), size=st.integers(0, 200_000))
    def send(self, role: Role, pick: int, size: int) -> None:
        stream = self.streams[pick % len(self.streams)]
        data = bytes([pick]) * size
        try:
            number = self.sides[role].send(stream, data)
        except yamux.StreamDead:
            return
        self.said.setdefault((role, stream), bytearray()).extend(data[:number])

    @precondition(lambda self: self.streams)
    @rule(role=st.sampled_from(Role), pick=st.integers(0, 100))
    def finish(self, role: Role, pick: int) -> None:
        self.sides[role].finish(self.streams[pick % len(self.streams)])

    @precondition(lambda self: self.streams)
    @rule(role=st.sampled_from(Role), pick=st.integers(0, 100))
    def reset(self, role: Role, pick: int) -> None:
        stream = self.streams[pick % len(self.streams)]
        self.broken.add(stream)
        self.sides[role].reset(stream)

    @rule(role=st.sampled_from(Role))
    def ping(self, role: Role) -> None:
        self.sides[role].ping()

    @rule(role=st.sampled_from(Role))
    def use_what_arrived(self, role: Role) -> None:
        for (side, stream), size in self.unused.items():
            if side is role:
                self.sides[role].consumed(stream, size)
                self.unused[side, stream] = 0

    @rule(role=st.sampled_from(Role), size=st.integers(1, 300_000))
    def deliver(self, role: Role, size: int) -> None:
        """Bytes that `role` sent reach the other side."""
        other = Role.SERVER if role is Role.CLIENT else Role.CLIENT
        session = self.sides[other]
        session.receive(self.sides[role].data_to_send(size))
        for event in drain(session):
            if isinstance(event, yamux.Opened):
                session.accept(event.stream)
            elif isinstance(event, yamux.Data):
                self.heard.setdefault((role, event.stream), bytearray()).extend(event.data)
                self.unused[other, event.stream] = self.unused.get((other, event.stream), 0) + len(event.data)

    @invariant()
    def no_window_is_exceeded(self) -> None:
        assert all(size <= yamux.INITIAL_WINDOW for size in getattr(self, "unused", {}).values())

    @override
    def teardown(self) -> None:
        if not hasattr(self, "sides"):
            return
        while any(session.pending for session in self.sides.values()):
            for role in Role:
                self.deliver(role, ALL)
                self.use_what_arrived(role)
        for key, data in self.said.items():
            heard = self.heard.get(key, b"")
            assert heard == data if key[1] not in self.broken else data.startswith(heard)


TwoSides.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
TestTwoSides = TwoSides.TestCase
