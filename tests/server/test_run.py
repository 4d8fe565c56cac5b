"""What the process does before it serves."""

from __future__ import annotations

import pytest

from coder_enterprise.server.run import _listen
from coder_enterprise.server.settings import Settings, SettingsError


def test_of_two_servers_that_start_at_once_one_has_the_port() -> None:
    """It is taken when it is bound, long before requests are answered."""
    with _listen(Settings(port=0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(SettingsError, match=f"CODER_HTTP_ADDRESS: cannot listen on 127.0.0.1:{port}"):
            _listen(Settings(port=port))
