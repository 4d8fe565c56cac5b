"""`coder-enterprise page`, as a process: to a real page, through the ports of a pod."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml

from tests.support.kubernetes import Body
from tests.support.page import Served, Shown
from tests.support.pods import Pods, operator_pod
from tests.support.waiting import TIMEOUT


def kubeconfig(folder: Path, url: str) -> Path:
    found = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "coder"}}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(found))
    return path


@asynccontextmanager
async def started(kubeconfig: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [sys.executable, "-m", "coder_enterprise", "page", "--kubeconfig", str(kubeconfig), *options]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def printed(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT):
        return (await process.stdout.readline()).decode().strip()


async def test_it_prints_where_the_page_is_and_leads_there_until_it_is_told_to_end(tmp_path: Path) -> None:
    shown = Shown()
    shown.deployment("east")
    async with (
        Served(shown) as url,
        Pods(urlsplit(url).port or 0, operator_pod("operator-1")) as pods,
        started(kubeconfig(tmp_path, pods.url), "--no-browser", "--port", "0") as process,
    ):
        there = await printed(process)
        async with httpx2.AsyncClient(base_url=there, trust_env=False) as http:
            assert "east" in (await http.get("/objects")).text
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(TIMEOUT):
            assert await process.wait() == 0
    assert urlsplit(there).hostname == "127.0.0.1"
    assert pods.forwarded == [("operator-1", "8082")]


@pytest.mark.parametrize(
    ("told", "said"), [([], "no operator runs in coder"), ([operator_pod("o", "--page-address=")], "serves no page")]
)
async def test_where_there_is_no_page_it_says_so_in_one_line(tmp_path: Path, told: list[Body], said: str) -> None:
    async with Pods(0, *told) as pods, started(kubeconfig(tmp_path, pods.url), "--no-browser") as process:
        async with asyncio.timeout(TIMEOUT):
            _, errors = await process.communicate()
    assert process.returncode == 1
    assert said in errors.decode()
    assert len(errors.decode().splitlines()) == 1
