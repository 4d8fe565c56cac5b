"""What all refusals have: words for who asked. `errors` adds what HTTP says of them, `storage.failures` does not."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """What was asked for is not done; `message`, `detail` and `validations` are shown to the caller."""

    def __init__(self, message: str, detail: str = "", validations: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.validations = dict(validations or {})
