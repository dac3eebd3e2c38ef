"""Spans of addresses as people type them: ``A`` or ``A-B``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.check.observation import NotToBeSeen, Observation
from harness.report.views.view import Parser, address_of

_SPAN = re.compile(r"\s*([\w$]+)\s*-\s*([\w$]+)\s*")
"""Two numbers or names; a difference is written in brackets."""


def span_argument(parser: Parser, what: str) -> None:
    """Let a view take a span, or nothing."""
    parser.add_argument(
        "span", nargs="*", metavar="ADDRESS[-ADDRESS]", help=f"{what}; the second is left out"
    )


def span_of(seen: Observation, words: Sequence[str]) -> range | None:
    """Return the addresses [A, B) of ``A-B``, one for ``A``, None for no words.

    Raise :class:`NotToBeSeen`.
    """
    if not words:
        return None
    text = " ".join(words)
    pair = _SPAN.fullmatch(text)
    if pair is None:
        start = address_of(seen, [text])
        return range(start, start + 1)
    start, end = (address_of(seen, [part]) for part in pair.groups())
    if start >= end:
        raise NotToBeSeen(f"{text} is no span: {start:#x} is not below {end:#x}")
    return range(start, end)
