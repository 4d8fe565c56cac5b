"""Where objects live, and what cannot be the name of one."""

from __future__ import annotations

import pytest

from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.paths import SECRETS


def test_an_object_lives_in_its_namespace_under_its_name() -> None:
    assert SECRETS.path("team-a", "token") == "/api/v1/namespaces/team-a/secrets/token"


@pytest.mark.parametrize("word", [".", "..", "../x", "a/b", "a?b", "a#b", "a%2fb"])
def test_a_name_leads_nowhere_else(word: str) -> None:
    for words in ((word, "token"), ("team-a", word)):
        with pytest.raises(KubernetesError, match="no name that Kubernetes allows"):
            SECRETS.path(*words)
