"""Fixtures of the tests of groups."""

from __future__ import annotations

import pytest

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.kinds.machinery.base import Context
from tests.kinds.group.builders import ORGANIZATION
from tests.support.beside import Beside
from tests.support.scripted import Scripted


@pytest.fixture
def context(server: Scripted, client: CoderClient) -> Context:
    server.answer("/organizations/default", ORGANIZATION.model_dump())
    return Context(client=client, directory=Directory(client), beside=Beside(), users_newer_than=float("-inf"))
