"""Settings that are more than text: durations and URLs."""

from __future__ import annotations

import pytest

from coder_enterprise.server.settings import SettingsError, parse_interval, parse_url


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("1m30s", 90), ("1m0s", 60), ("1.5h", 5400), ("200ms", 0.2), ("1h2m3s", 3723), ("500us", 0.0005)],
)
def test_a_duration_is_read_as_go_writes_it(text: str, seconds: float) -> None:
    assert parse_interval("CODER_X", text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "60", "s", "0s", "-1s", "1d", "1m 30s", "1e3s", ".s", "1..5s", "٣s", "x" * 1000])
def test_what_is_no_duration_above_zero_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match="CODER_X"):
        parse_interval("CODER_X", text)


@pytest.mark.parametrize("text", ["", "http://10.0.0.5:3000", "https://[::1]:3000/", "https://relay.example.com/derp"])
def test_a_relay_url_is_taken(text: str) -> None:
    assert parse_url("CODER_X", text) == text


@pytest.mark.parametrize(
    "text", ["10.0.0.5", "ftp://x", "http://", "http://a b", "http://x?y", "http://u:p@x", "http://x\n"]
)
def test_what_is_no_relay_url_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match="CODER_X"):
        parse_url("CODER_X", text)
