"""Short messages between the replicas of a server: who subscribes to a channel hears what any replica publishes.

They make things fast, and are never what makes them right: publish after the write is acknowledged, and expect that a
message may be lost when a replica or the database ends in between. SQLite has one replica, and this module's
`LocalNotifications`; `postgresql_notifications` carries them through the database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from typing_extensions import override

MAX_MESSAGE: Final = 1000
"""Characters."""

Subscriber = Callable[[str | None], None]
"""Called in the event loop with a message, or with None: messages may have been missed, so read everything again."""


class Notifications(Protocol):
    def subscribe(self, channel: str, subscriber: Subscriber) -> None:
        """From now on. Whoever publishes hears the own message, too."""

    async def publish(self, channel: str, message: str = "") -> None:
        """Raises nothing for a database that does not answer: who cannot send it cannot serve either."""


class Subscribers:
    """Who listens to which channel, in this process."""

    def __init__(self) -> None:
        self._of_channel: dict[str, list[Subscriber]] = {}

    def add(self, channel: str, subscriber: Subscriber) -> None:
        self._of_channel.setdefault(channel, []).append(subscriber)

    def tell(self, channel: str, message: str) -> None:
        for subscriber in self._of_channel.get(channel, ()):
            subscriber(message)

    def tell_all_to_read_again(self) -> None:
        for subscribers in self._of_channel.values():
            for subscriber in subscribers:
                subscriber(None)


class LocalNotifications(Notifications):
    """Between the parts of one process, without delay."""

    def __init__(self) -> None:
        self._subscribers = Subscribers()

    @override
    def subscribe(self, channel: str, subscriber: Subscriber) -> None:
        self._subscribers.add(channel, subscriber)

    @override
    async def publish(self, channel: str, message: str = "") -> None:
        self._subscribers.tell(channel, check(message))


def check(message: str) -> str:
    """Raises `ValueError` for one that is too long to be sent on every database."""
    if len(message) > MAX_MESSAGE:
        raise ValueError(f"a message of {len(message)} characters: at most {MAX_MESSAGE} can be sent")
    return message
