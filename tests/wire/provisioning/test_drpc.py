"""The DRPC codec: packets, and which of them may come when."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coder_enterprise.wire.provisioning import drpc
from coder_enterprise.wire.provisioning.drpc import Call, Frame, Kind, Packet, PacketReader
from tests.support.pieces import CUTS, split

PATH = "/provisionerd.ProvisionerDaemon/UpdateJob"


def packets(*pieces: bytes) -> list[Packet]:
    reader, found = PacketReader(), []
    for piece in pieces:
        reader.receive(piece)
        while (packet := reader.next_packet()) is not None:
            found.append(packet)
    return found


def events(call: Call, *pieces: bytes) -> list[drpc.Event]:
    happened = []
    for piece in pieces:
        call.receive(piece)
        while (event := call.next_event()) is not None:
            happened.append(event)
    return happened


def encoded(frames: Iterable[Frame]) -> bytes:
    return b"".join(frame.encode() for frame in frames)


def answering(*pieces: bytes) -> Call:
    """The server's side of a call that was invoked."""
    call = Call()
    events(call, Call().invoke(PATH), *pieces)
    return call


def calling() -> Call:
    call = Call()
    call.invoke(PATH)
    return call


def packet(kind: int, data: bytes = b"", message: int = 2, stream: int = 1, control: bool = False) -> bytes:
    return encoded(Packet(kind, stream, message, data, control).frames())


def test_a_frame_is_a_byte_three_numbers_and_data() -> None:
    assert Frame(Kind.CANCEL, 1, 300, b"ab", done=True, control=True).encode() == b"\x89\x01\xac\x02\x02ab"


PACKETS = st.builds(
    lambda kind, data, control: (kind, data, control),
    st.integers(0, 63),
    st.one_of(st.binary(max_size=100), st.integers(0, 3 * drpc.FRAME_LIMIT).map(bytes)),
    st.booleans(),
)


@settings(deadline=None)
@given(st.lists(PACKETS, max_size=8), st.integers(1, 2**60), CUTS)
def test_packets_arrive_as_they_were_sent_in_any_pieces(
    contents: list[tuple[int, bytes, bool]], stream: int, cuts: list[int]
) -> None:
    sent = [Packet(kind, stream, number, data, control) for number, (kind, data, control) in enumerate(contents, 1)]
    data = b"".join(encoded(packet.frames()) for packet in sent)
    assert packets(*split(data, cuts)) == sent


@settings(deadline=None)
@given(st.integers(0, drpc.MAX_ID), st.binary(max_size=3))
def test_numbers_are_read_as_they_were_written(number: int, rest: bytes) -> None:
    written = drpc.encode_varint(number)
    assert drpc.decode_varint(written + rest, 0) == (number, len(written))
    assert drpc.decode_varint(written[:-1], 0) is None


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300), CUTS)
def test_garbage_is_refused_with_an_error_of_drpc(data: bytes, cuts: list[int]) -> None:
    for call in (Call(), answering(), calling()):
        with contextlib.suppress(drpc.DRPCError):
            events(call, *split(data, cuts))
        assert len(call._reader._received) + len(call._reader._data) <= len(data)


SMALL_FRAMES = st.builds(
    Frame,
    st.integers(0, 9),
    st.integers(0, 2),
    st.integers(0, 4),
    st.binary(max_size=9),
    st.booleans(),
    st.booleans(),
)


@settings(deadline=None)
@given(st.lists(SMALL_FRAMES, max_size=12), CUTS)
def test_the_pieces_in_which_bytes_arrive_do_not_matter(frames: list[Frame], cuts: list[int]) -> None:
    def outcome(pieces: Iterable[bytes]) -> tuple[list[drpc.Event], type[Exception] | None]:
        call, happened = answering(), []
        try:
            for piece in pieces:
                call.receive(piece)
                while (event := call.next_event()) is not None:
                    happened.append(event)
        except drpc.DRPCError as error:
            return happened, type(error)
        return happened, None

    data = encoded(frames)
    assert outcome(split(data, cuts)) == outcome([data])


def test_a_new_message_drops_the_unfinished_one_before_it() -> None:
    frames = [Frame(Kind.MESSAGE, 1, 1, b"half", done=False), Frame(Kind.CLOSE, 1, 2)]
    assert packets(encoded(frames)) == [Packet(Kind.CLOSE, 1, 2)]


def test_one_frame_with_the_control_bit_makes_the_whole_packet_ignorable() -> None:
    frames = [Frame(60, 1, 1, b"a", done=False), Frame(60, 1, 1, b"b", control=True)]
    assert packets(encoded(frames)) == [Packet(60, 1, 1, b"ab", control=True)]


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([Frame(2, 1, 2), Frame(2, 1, 1)], drpc.OutOfOrder),
        ([Frame(2, 1, 1), Frame(2, 1, 1)], drpc.OutOfOrder),
        ([Frame(2, 2, 1), Frame(2, 1, 9)], drpc.OutOfOrder),
        ([Frame(2, 0, 1)], drpc.OutOfOrder),
        ([Frame(2, 1, 1, done=False), Frame(3, 1, 1)], drpc.OutOfOrder),
        ([Frame(2, 1, 1, bytes(drpc.MAX_MESSAGE), done=False), Frame(2, 1, 1, b"x")], drpc.TooLarge),
    ],
)
def test_frames_that_do_not_follow_each_other_are_refused(frames: list[Frame], error: type[Exception]) -> None:
    with pytest.raises(error):
        packets(encoded(frames))


def test_a_frame_that_is_too_large_is_refused_before_it_has_arrived() -> None:
    head = b"\x05\x01\x01" + drpc.encode_varint(drpc.MAX_MESSAGE + 1)
    with pytest.raises(drpc.TooLarge):
        packets(head)


def test_a_packet_of_the_largest_size_is_read() -> None:
    [largest] = packets(packet(Kind.MESSAGE, bytes(drpc.MAX_MESSAGE)))
    assert len(largest.data) == drpc.MAX_MESSAGE


@pytest.mark.parametrize("number", [b"\xff" * 10, b"\xff" * 9 + b"\x7f"])
def test_a_number_of_more_than_64_bits_is_refused(number: bytes) -> None:
    with pytest.raises(drpc.Malformed):
        packets(b"\x05" + number)


def test_a_call_with_one_request_and_one_answer_goes_to_its_end() -> None:
    client, server = Call(), Call()
    request = client.invoke(PATH, {"trace": "1"}) + client.message(b"question") + client.close_send()
    assert events(server, request) == [
        drpc.Invoked(PATH, {"trace": "1"}),
        drpc.Message(b"question"),
        drpc.SendClosed(),
    ]
    assert events(client, server.message(b"answer") + server.close_send()) == [
        drpc.Message(b"answer"),
        drpc.SendClosed(),
    ]
    assert client.over
    assert server.over


def test_messages_may_come_after_ours_are_all_sent() -> None:
    client = calling()
    client.close_send()
    assert events(client, packet(Kind.MESSAGE, b"one"), packet(Kind.MESSAGE, b"two", 3)) == [
        drpc.Message(b"one"),
        drpc.Message(b"two"),
    ]


@pytest.mark.parametrize(
    ("end", "event"),
    [
        (lambda call: call.close(), drpc.Closed()),
        (lambda call: call.cancel(), drpc.Cancelled()),
        (lambda call: call.error("not yours", 7), drpc.Failed(7, "not yours")),
        (lambda call: call.error(""), drpc.Failed(0, "")),
    ],
)
def test_an_end_ends_the_call_on_both_sides(end: Callable[[Call], bytes], event: drpc.Event) -> None:
    client, server = calling(), answering()
    last = end(client)
    assert events(server, last, b"whatever follows") == [event]
    for side in (client, server):
        assert side.over
        assert side.close() == b""
        with pytest.raises(drpc.CallOver):
            side.message(b"more")


def test_nothing_follows_the_end_of_sending_but_the_end_of_the_call() -> None:
    call = calling()
    assert call.close_send()
    assert call.close_send() == b""
    with pytest.raises(drpc.CallOver):
        call.message(b"more")
    assert call.close()


def test_a_message_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(drpc.TooLarge):
        calling().message(bytes(drpc.MAX_MESSAGE + 1))


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([packet(Kind.INVOKE, b"/again")], drpc.OutOfOrder),
        ([packet(Kind.INVOKE_METADATA)], drpc.OutOfOrder),
        ([packet(Kind.MESSAGE, stream=2)], drpc.OutOfOrder),
        ([packet(Kind.CLOSE_SEND), packet(Kind.MESSAGE, message=3)], drpc.OutOfOrder),
        ([packet(Kind.ERROR, b"short")], drpc.Malformed),
        ([packet(8)], drpc.UnknownKind),
        ([packet(0)], drpc.UnknownKind),
    ],
)
def test_a_packet_that_cannot_come_now_is_refused(pieces: list[bytes], error: type[Exception]) -> None:
    with pytest.raises(error):
        events(answering(), *pieces)


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (packet(Kind.MESSAGE, b"x"), drpc.OutOfOrder),
        (packet(Kind.INVOKE, b"\xff"), drpc.Malformed),
        (packet(Kind.INVOKE_METADATA, b"\xff"), drpc.Malformed),
    ],
)
def test_a_call_that_does_not_begin_with_its_method_is_refused(first: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        events(Call(), first)


def test_unknown_packets_with_the_control_bit_are_ignored() -> None:
    assert events(answering(), packet(42, control=True), packet(Kind.MESSAGE, b"x", 3)) == [drpc.Message(b"x")]
