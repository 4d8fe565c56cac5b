"""What a Secret's value means, as people put it there: from files of editors, shells and web pages.

Used by the kinds for what is one word: session tokens and licences, which have no blanks or quotes of their own.
"""

from __future__ import annotations

from typing import Final

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
