"""What a command takes for Coder's address is what an object may have as such."""

from __future__ import annotations

import pytest

from coder_enterprise.kinds.deployment.urls import url_fault
from coder_enterprise.kinds.registry import CONNECTION_KIND
from coder_enterprise.planner.schemas import problems


@pytest.mark.parametrize(
    "url",
    [
        "https://coder.example.com",
        "http://127.0.0.1:3000/",
        "https://coder.example.com/coder",
        "http://[::1]:3000",
        "https://user:password@coder.example.com",
        "https://coder.example.com/?a=b",
        "https://coder.example.com#a",
        "coder.example.com",
        "coder.example.com:3000",
        "ftp://coder.example.com",
        "https://",
        "https:///path",
        "http://[::1",
        "http://coder.example.com:port",
        "http://coder.example.com:99999",
        "http://coder.example.com\n/",
        "http://coder.example.com/" + "a" * 3000,
    ],
)
def test_the_verdict_is_that_of_the_rules(url: str) -> None:
    spec = {"url": url, "tokenSecretRef": {"name": "token"}}
    refused = problems(CONNECTION_KIND, {"metadata": {"name": "coder"}, "spec": spec})
    assert bool(url_fault(url)) == bool(refused)
