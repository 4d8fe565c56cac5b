"""The dashboard: one that Grafana imports anywhere, and that shows what was promised."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import pytest

from tests.support.monitoring import dashboard, selectors

COLUMNS: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def sources(node: Any) -> Iterator[Any]:
    """Every datasource that something in the tree names."""
    if isinstance(node, dict):
        if "datasource" in node:
            yield node["datasource"]
        for value in node.values():
            yield from sources(value)
    elif isinstance(node, list):
        for value in node:
            yield from sources(value)


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_it_belongs_to_no_grafana_and_to_no_data_source() -> None:
    board = dashboard()
    assert board["id"] is None
    assert [source for source in sources(board) if source != SOURCE] == []
    variables = {variable["name"]: variable["type"] for variable in board["templating"]["list"]}
    assert variables["datasource"] == "datasource"


def test_each_panel_has_a_number_a_title_a_description_and_a_query() -> None:
    numbers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in panels():
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_panels_lie_side_by_side() -> None:
    places = {f"{panel['id']} {panel['title']}": panel["gridPos"] for panel in dashboard()["panels"]}
    assert [name for name, place in places.items() if place["x"] + place["w"] > COLUMNS] == []
    assert [pair for pair in combinations(places, 2) if overlap(places[pair[0]], places[pair[1]])] == []


@pytest.mark.parametrize(
    "metric",
    [
        "coder_enterprise_objects",
        "coder_enterprise_drift_found_total",
        "coder_enterprise_time_to_ready_seconds_bucket",
        "coder_enterprise_queue_depth",
        "coder_enterprise_queue_oldest_seconds",
        "coder_enterprise_shards_held",
        "coder_enterprise_external_requests_total",
        "coder_enterprise_external_request_seconds_bucket",
        "coder_enterprise_license_days_left",
        "coder_enterprise_coder_proxies_healthy",
        "coder_enterprise_coder_replicas_healthy",
    ],
)
def test_it_shows(metric: str) -> None:
    shown = {
        selector.metric for panel in panels() for target in panel["targets"] for selector in selectors(target["expr"])
    }
    assert metric in shown


def test_each_query_keeps_to_the_chosen_namespace() -> None:
    for panel in panels():
        for target in panel["targets"]:
            for selector in selectors(target["expr"]):
                assert ("namespace", "$namespace") in selector.matchers, panel["title"]


def test_it_leads_to_the_page_wherever_that_is() -> None:
    board = dashboard()
    assert [link["url"] for link in board["links"]] == ["${page:raw}"]
    assert {variable["name"] for variable in board["templating"]["list"]} >= {"page"}
    links = [link["url"] for panel in panels() for link in panel["fieldConfig"]["defaults"].get("links", ())]
    assert links == ["${page:raw}/objects?reason=${__field.labels.reason}"]
