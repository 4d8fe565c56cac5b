"""Fixtures of the tests of the ACLs of templates."""

from __future__ import annotations

import pytest

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.kinds.machinery.base import Context
from tests.kinds.template_acl.builders import GROUP, Visits, user
from tests.support.beside import Beside
from tests.support.old_coder import OldCoder
from tests.support.scripted import Scripted


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.fixture
def visit_it(client: CoderClient, beside: Beside) -> Visits:
    directory = Directory(client)
    return Visits(Context(client=client, directory=directory, beside=beside, users_newer_than=float("-inf")), {})


@pytest.fixture
def old(server: Scripted) -> OldCoder:
    coder = OldCoder(server)
    coder.statuses = {user("anna"): "active", user("beth"): "dormant", user("carl"): "suspended"}
    coder.put_group(GROUP, "data")
    return coder
