"""What a Secret's value means, as people put it there: from files of editors, shells and web pages.

Used by the kinds for what is one word: session tokens and licences, which have no blanks or quotes of their own. What
is said where there is no value is here too; nothing that is said shows one.
"""

from __future__ import annotations

from typing import Final

from coder_enterprise.kinds.machinery.errors import KindError, stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import WATCH_LABEL

_QUOTES: Final = "\"'"


def one_word(value: str) -> str:
    """Without the byte order mark, blanks and quotes around it, and with its wrapped lines joined. Blanks inside a line
    stay: they are a mistake to be told."""
    text = value.strip().removeprefix("\ufeff").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = text[1:-1]
    return "".join(line.strip() for line in text.splitlines())


def token(value: str) -> str:
    """The same, without the word that a header has before it."""
    text = one_word(value)
    word, _, rest = text.partition(" ")
    return rest.strip() or text if word.lower() == "bearer" else text


def is_sendable(token: str) -> bool:
    """One word of ASCII: what a header can have."""
    return bool(token) and all("!" <= character <= "~" for character in token)


def command(name: str, key: str) -> str:
    """What makes such a Secret out of a file, so that its text is in no history of a shell."""
    create = f"kubectl create secret generic {name} --from-file={key}=FILE"
    return f"{create} && kubectl label secret {name} {WATCH_LABEL}=true"


def no_secret(place: str, advice: str, field: str = "") -> KindError:
    """`place` is "Secret namespace/name"; `field` is the path of spec that names it, where only one does."""
    return stalled(Reason.SECRET_NOT_FOUND, f"{_before(field)}there is no {place}; {advice}")


def no_value(place: str, key: str, advice: str, field: str = "") -> KindError:
    return stalled(Reason.SECRET_KEY_MISSING, f"{_before(field)}{place} has no value under the key {key}; {advice}")


def _before(field: str) -> str:
    return f"{field}: " if field else ""
