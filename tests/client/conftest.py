"""A scripted Coder, and a client that talks to it."""

from tests.support.scripted import client, no_proxies, server

__all__ = ["client", "no_proxies", "server"]
