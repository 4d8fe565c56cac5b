"""What is in a collection, and each change of it as it happens.

Used by the commands that wait for something or show a cluster as it changes; the operator has watches of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.paths import Collection

LASTS: Final = 290
"""Seconds after which the API server ends a watch, which then goes on in a new request."""
PAUSE: Final = 1.0
"""Seconds before a watch that broke is begun again."""
LINE: Final = 2**22
"""Bytes that one object may have."""

Body = dict[str, Any]


@dataclass(frozen=True)
class Listed:
    """All that there is: at the start, and again after what happened in between has been missed."""

    objects: tuple[Body, ...]


@dataclass(frozen=True)
class Changed:
    type: str
    """ADDED, MODIFIED or DELETED."""
    object: Body


class _Missed(Exception):
    """What happened since the last version is not kept any more."""


async def follow(
    client: KubernetesClient, collection: Collection, namespace: str | None = None, fields: str = ""
) -> AsyncGenerator[Listed | Changed, None]:
    """For ever. Raises `KubernetesError` when the API server refuses; one that is away for a while is waited for."""
    async with client.session() as session:
        while True:
            objects, version = await client.listing(collection, namespace, fields)
            yield Listed(tuple(objects))
            try:
                async for change in _changes(session, client.host + collection.path(namespace), version, fields):
                    yield change
            except _Missed:
                continue


async def _changes(session: aiohttp.ClientSession, url: str, version: str, fields: str) -> AsyncIterator[Changed]:
    """From that version on, through as many requests as it takes."""
    while True:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(LASTS),
        }
        try:
            async for type_, body in _lines(session, url, query | ({"fieldSelector": fields} if fields else {})):
                version = body["metadata"]["resourceVersion"]
                if type_ != "BOOKMARK":
                    yield Changed(type_, body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
            await asyncio.sleep(PAUSE)


async def _lines(session: aiohttp.ClientSession, url: str, query: Mapping[str, str]) -> AsyncIterator[tuple[str, Body]]:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=LASTS + 30)
    async with session.get(url, params=query, timeout=timeout, read_bufsize=LINE) as answer:
        if answer.status != HTTPStatus.OK:
            _refuse(answer.status, "")
        async for line in answer.content:
            event = json.loads(line)
            if event["type"] == "ERROR":
                _refuse(event["object"].get("code", 0), event["object"].get("message", ""))
            yield event["type"], event["object"]


def _refuse(status: int, message: str) -> None:
    if status == HTTPStatus.GONE:
        raise _Missed
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise KubernetesError(status, "Refused", message or "the Kubernetes API does not let you watch it")
    raise aiohttp.ClientError(f"status {status}")
