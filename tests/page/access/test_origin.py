"""Which requests come from a page of ours, and where somebody is led after they have signed in."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from aiohttp.test_utils import make_mocked_request

from coder_enterprise.page.access.origin import NotHere, check_csrf, check_site, own_path

OURS = {"Host": "page.example:8082"}


def is_refused(headers: dict[str, str], *, bearers: bool = True) -> bool:
    request = make_mocked_request("POST", "/", headers=OURS | headers)
    try:
        check_site(request, bearers=bearers)
    except NotHere:
        return True
    return False


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://page.example:8082"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer x"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://page.example"},
        {"Origin": "https://page.example:8082.evil.example"},
        {"Origin": "https://evil.example", "Authorization": "Bearer x"},
        {},
    ],
)
def test_a_write_that_no_page_of_ours_has_sent_is_refused(headers: dict[str, str]) -> None:
    assert is_refused(headers)


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://page.example:8082"}, {"Authorization": "Bearer x"}],
)
def test_a_write_of_our_own_page_or_of_a_program_is_taken(headers: dict[str, str]) -> None:
    assert not is_refused(headers)


def test_behind_a_proxy_that_adds_tokens_a_token_says_nothing_of_who_sent_it() -> None:
    assert is_refused({"Authorization": "Bearer x"}, bearers=False)


@pytest.mark.parametrize(
    "text",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "/objects\r\nSet-Cookie: x=y",
        "objects",
        "",
        " //evil.example",
        "/ü",
        None,
    ],
)
def test_nobody_is_led_elsewhere(text: str | None) -> None:
    assert own_path(text) == "/"


@pytest.mark.parametrize(
    "path", ["/", "/objects?kind=CoderGroup&sort=-age", "/objects/a%2Fb", "/x//y", "/:1", "/@evil.example"]
)
def test_a_path_of_this_page_is_kept(path: str) -> None:
    assert own_path(path) == path
    assert urlsplit(urljoin("https://page.example/login", own_path(path))).netloc == "page.example"


@pytest.mark.parametrize("given", [None, "", "other", "schlüssel", b"right"])
def test_a_form_that_is_none_of_ours_is_refused(given: object) -> None:
    with pytest.raises(NotHere):
        check_csrf(given, "right")


def test_our_own_form_is_taken() -> None:
    check_csrf("right", "right")
