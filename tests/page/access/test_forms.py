"""What is sent in place of a form is refused, and nothing of it is in a log: a token may be in it."""

from __future__ import annotations

import logging
import zlib

import httpx2
import pytest
from structlog.testing import capture_logs

from coder_enterprise.page.access.modes import Mode
from tests.support.page import Served, Shown
from tests.support.people import HTML, SAME

pytestmark = pytest.mark.asyncio

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
ODD = [
    (MULTIPART, "", b"token=secret", 415),
    (f"{MULTIPART}; boundary=x", "", b"token=secret\r\n--y", 415),
    (f"{MULTIPART}; boundary=x", "", b"--x\r\nContent-Disposition: form-data\r\n\r\nsecret\r\n--x--\r\n", 415),
    ("text/plain", "", b"token=secret", 415),
    (f"{FORM}; charset=none", "", b"token=secret", 415),
    (FORM, "", b"token=secret\xff", 400),
    (f"{FORM}; charset=idna", "", b"xn--" + b"b" * 60_000, 415),
    (f"{FORM}; charset=punycode", "", b"token=secret-", 415),
    (FORM, "gzip", b"token=secret", 415),
    (FORM, "deflate", zlib.compress(b"token=secret"), 415),
]


@pytest.mark.parametrize(("content_type", "encoding", "body", "status"), ODD)
async def test_what_is_no_form_is_refused_and_in_no_log(
    shown: Shown, caplog: pytest.LogCaptureFixture, content_type: str, encoding: str, body: bytes, status: int
) -> None:
    headers = HTML | SAME | {"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {})
    with caplog.at_level(logging.INFO), capture_logs() as logs:
        async with (
            Served(shown, mode=Mode.KUBERNETES) as url,
            httpx2.AsyncClient(base_url=url, trust_env=False) as http,
        ):
            answer = await http.post("/login", content=body, headers=headers)
    assert answer.status_code == status
    assert logs == []
    assert [record for record in caplog.records if record.name.startswith("coder_enterprise")] == []
