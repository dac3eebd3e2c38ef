"""``--filter``: which mappings are meant, by their effective rights.

Words separated by commas, all of which must hold; ``!`` in front of one turns it round.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.decode.belief.paging import FRAME_SIZE
from harness.report.ranges import MappedRange
from harness.report.views.view import BadArguments

_WORDS: dict[str, Callable[[MappedRange], bool]] = {
    "w": lambda mapped: mapped.writable,
    "x": lambda mapped: mapped.executable,
    "u": lambda mapped: mapped.user,
    "g": lambda mapped: mapped.global_,
    "large": lambda mapped: mapped.page_size > FRAME_SIZE,
}
HELP = "rights that must hold, such as w,u or !x,large: w x u g large"


def rights_filter(text: str) -> Callable[[MappedRange], bool]:
    """Return what tells whether a range has the rights; raise :class:`BadArguments`."""
    wanted: list[tuple[Callable[[MappedRange], bool], bool]] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        name = word.removeprefix("!")
        if name not in _WORDS:
            known = ", ".join(_WORDS)
            raise BadArguments(f"--filter: {word!r} is none of {known}, or one of them behind a !")
        wanted.append((_WORDS[name], not word.startswith("!")))
    return lambda mapped: all(holds(mapped) is value for holds, value in wanted)
