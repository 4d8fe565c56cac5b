"""What all kinds declare of themselves, by their names alone."""

from __future__ import annotations

from coder_enterprise.kinds.machinery.crd import status_schema
from coder_enterprise.kinds.machinery.resource import EXTERNAL_ID
from coder_enterprise.kinds.registry import MANAGED_KINDS


def test_every_kind_records_what_its_objects_stand_for() -> None:
    assert all(EXTERNAL_ID in status_schema(kind.crd)["properties"] for kind in MANAGED_KINDS)


def test_kinds_that_wait_for_people_name_the_field_of_their_status_that_says_so() -> None:
    waiting = {kind.names.kind: kind.pending_field for kind in MANAGED_KINDS if kind.pending_field}
    assert waiting == {"CoderGroup": "pendingMembers", "CoderTemplateACL": "pending"}
    for kind in MANAGED_KINDS:
        assert kind.pending_field is None or kind.pending_field in status_schema(kind.crd)["properties"]
