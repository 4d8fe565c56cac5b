"""Settings that are more than text: each refusal names the variable and the cause."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from coder_enterprise.server.settings import Settings, SettingsError, parse_interval, parse_support_links, parse_url
from coder_enterprise.wire.appearance import SupportLink
from tests.support.licenses import PUBLIC_KEYS, write_keys


def test_without_a_file_no_key_is_trusted() -> None:
    assert Settings().license_keys() == {}


def test_the_keys_are_those_of_the_file(tmp_path: Path) -> None:
    assert Settings(license_keys_file=write_keys(tmp_path / "keys.json")).license_keys() == PUBLIC_KEYS


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "one JSON object"),
        (b'{"a": 1}', "a: must be the base64 of the 32 bytes"),
        (b'{"b": "AAAA"}', "b: must be"),
        (json.dumps({"c": base64.b64encode(bytes(32)).decode() + "!"}).encode(), "c: must be"),
        (json.dumps({"d": "\N{LATIN SMALL LETTER E WITH ACUTE}"}).encode(), "d: must be"),
    ],
)
def test_a_file_without_keys_is_refused(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"CODER_LICENSE_KEYS_FILE: .*{path.name}.*{cause}"):
        Settings(license_keys_file=path).license_keys()


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CODER_LICENSE_KEYS_FILE: .*none\.json cannot be read: No such file"):
        Settings(license_keys_file=tmp_path / "none.json").license_keys()


@pytest.mark.parametrize("text", ["", "  ", "[]"])
def test_no_support_links_are_none(text: str) -> None:
    assert parse_support_links(text) == ()


def test_support_links_are_a_json_list() -> None:
    links = parse_support_links(
        '[{"name": "A", "target": "https://a.example", "icon": "bug"}, {"name": "B", "target": "b"}]'
    )
    assert links == (
        SupportLink(name="A", target="https://a.example", icon="bug"),
        SupportLink(name="B", target="b"),
    )


@pytest.mark.parametrize("text", ["{", "{}", "5", '["x"]', '[{"name": "A"}]', '[{"name": 1, "target": "x"}]'])
def test_support_links_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"CODER_SUPPORT_LINKS: .*write a JSON list such as"):
        parse_support_links(text)


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
