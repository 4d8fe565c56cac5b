"""What is true for the request at hand, wherever it is served: its id, where it comes from and with which program.

Set by the routes' middleware, read by the audit. A job keeps what was true when it was handed to the database.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

client_address: Final[ContextVar[str]] = ContextVar("client_address", default="")
""""" where nobody asked: it is the server's own work."""
user_agent: Final[ContextVar[str]] = ContextVar("user_agent", default="")
"""The client's program, as it calls itself."""
request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
