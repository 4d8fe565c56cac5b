"""What the bench computes of what it measures; what it measures is nobody's to test."""

from __future__ import annotations

import asyncio
import itertools
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest

from tools.bench import chart, load
from tools.bench.chart import Curve, Panel, drawing
from tools.bench.soak import MAX_MORE, Outcome, Sample, slope, verdict


def samples(*memory: float) -> list[Sample]:
    """One a minute."""
    return [Sample(float(minute), mib, 10, 5, 50.0) for minute, mib in enumerate(memory)]


def test_the_slope_is_that_of_the_second_half() -> None:
    assert slope(samples(10, 80, 100, 100.5, 101, 101.5)) == pytest.approx(30)
    assert slope(samples(100, 100)) == 0


def test_a_soak_fails_for_what_grows_and_for_what_is_not_as_declared() -> None:
    assert verdict(Outcome(samples(90, 100, 100))) == []
    assert "memory grows" in verdict(Outcome(samples(90, 100, 100), slope=7.0))[0]
    grown = [*samples(100), Sample(1.0, 100.0, 11 + MAX_MORE, 5, 50.0)]
    assert "more files are open" in verdict(Outcome(grown))[0]
    assert verdict(Outcome(samples(100), wrong=["soak-1"])) == ["not as declared: soak-1"]


@pytest.mark.parametrize(
    ("highest", "expected"), [(3.2, [0, 1, 2, 3, 4]), (130, [0, 50, 100, 150]), (0.0, None), (40, [0, 10, 20, 30, 40])]
)
def test_a_panel_has_few_lines_at_round_numbers(highest: float, expected: list[float] | None) -> None:
    steps = chart.steps(highest)
    assert steps[0] == 0
    assert steps[-1] >= highest
    assert expected is None or steps == expected


def test_a_drawing_has_each_curve_and_each_band_and_no_script() -> None:
    panels = [
        Panel("a < b", [Curve("one", [1.0, 2.0]), Curve("two", [3.0, 1.0])]),
        Panel("c", [Curve("c", [0.0, 0.0])]),
    ]
    root = ElementTree.fromstring(drawing([0.0, 5.0], panels, [(1.0, 2.0)]))
    tags = Counter(element.tag.rpartition("}")[2] for element in root.iter())
    assert tags["polyline"] == 3
    assert tags["rect"] == 3  # the ground, and the band of each panel
    assert tags["script"] == tags["style"] == 0


async def _answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every third request fails; answers come in two pieces."""
    for number in range(1, 1000):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            break
        await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0] or 0))
        status = b"500 No" if number % 3 == 0 else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\nbo")
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(b"dy")
    writer.close()
    await writer.wait_closed()


async def test_the_load_generator_counts_answers_and_failures() -> None:
    connections: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(
        lambda reader, writer: connections.append(asyncio.create_task(_answering(reader, writer))), "127.0.0.1", 0
    )
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    sent = itertools.repeat(load.request("POST", url + "/groups", "token", b"{}"))
    found = await load.drive([url], itertools.islice(sent, 30), 60, 1)
    server.close()
    await asyncio.gather(*connections)
    assert found.answered == 30
    assert found.failed == found.answered // 3
    assert list(found.latencies) == sorted(found.latencies)
