"""Fixtures of the tests of users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.kinds.machinery.base import Context
from tests.kinds.user.builders import SCIM_KEY, People
from tests.support.beside import Beside
from tests.support.scripted import TOKEN, Scripted


@pytest.fixture
def people(server: Scripted) -> People:
    return People(server)


@pytest.fixture
def context(client: CoderClient) -> Context:
    return Context(client=client, directory=Directory(client), beside=Beside(), users_newer_than=float("-inf"))


@pytest.fixture
async def scim(server: Scripted, context: Context) -> Any:
    """A context whose deployment has a key for SCIM."""
    settings = ConnectionSettings(server.url, TOKEN, scim_key=SCIM_KEY)
    async with CoderClient(settings) as client:
        yield replace(context, client=client, directory=Directory(client))
