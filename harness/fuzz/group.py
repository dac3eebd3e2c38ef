"""What is wrong and where, without numbers: two cases that show one bug have the same.

It is made of facts: a violation's kind, who owns the frames, what the map says of them, and in
which function the kernel ended. Where there are none of these, the violation's words stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from textwrap import shorten

from harness.check.inspect import Inspection
from harness.check.model import NOT_USABLE
from harness.check.ownership import owned_frames
from harness.check.runs import FRAME_SIZE
from harness.check.violation import Violation
from harness.fuzz.claims import IN_PART, claim
from harness.machine.backtrace import Frame
from harness.maps.memory_map import MemoryMap

CALLERS = 2
"""Functions from a backtrace's top that tell one bug from another."""
LONGEST = 120
"""Characters of a violation's words."""

_GIVEN_OUT = ("frames.free-reserved", "frames.owned-reserved")
_CONFLICTS = (*_GIVEN_OUT, "frames.two-owners")
_CAUSES = (
    *("contents.text", "contents.read-only", "decode.page-tables", "firmware-map."),
    *("paging.", "walk."),
)
"""Beginnings of kinds that can bring a conflict of owners about; all others may follow from one."""

_OPERATION = re.compile(r"operation \d+, (\w+)")
_REPORTED = ("ending.panic", "ending.refused")
_REPORTING = {"panic", "pvpanic", "assert", "abort", "die", "oops", "bug", "halt"} | {
    *("trap", "traps", "isr", "irq", "exception", "exceptions", "interrupt", "interrupts")
}
"""Words in names of functions and source files that tell of an error and do not make it."""

_ASIDES = re.compile(r" ?\([^)]*\)")
"""What is in parentheses, which differs between two sightings of one bug; so do numbers."""
_NUMBERS = re.compile(r"\b0x[0-9a-f]+(-0x[0-9a-f]+)?|\b\d+\b|\b[0-9a-f]{2}(?= |$)")
_LEFT_OUT = "…"
_PLURALS = {
    "frames": "frame",
    "pages": "page",
    "are": "is",
    "have": "has",
    "them": "it",
    "their": "its",
    "hold": "holds",
    "belong": "belongs",
}


def group_of(
    violations: Sequence[Violation],
    backtrace: Sequence[Frame],
    inspection: Inspection | None,
    memory_map: MemoryMap,
) -> str | None:
    """Return the group of a machine with ``violations``, None without any.

    ``backtrace`` is that of a kernel that did not get ready, innermost first; ``memory_map`` is
    the map as the kernel was given it.
    """
    if not violations:
        return None
    if backtrace:
        reported = violations[0].kind in _REPORTED
        functions = _functions(_without_report(backtrace) if reported else backtrace)
        return f"{violations[0].kind} in {', called from '.join(functions)}"
    kind, where = min(_choices(violations, inspection, memory_map))[1:]
    return f"{kind}: {where}"


def _functions(backtrace: Sequence[Frame]) -> list[str]:
    return [frame.function or "?" for frame in backtrace[:CALLERS]]


def _without_report(backtrace: Sequence[Frame]) -> Sequence[Frame]:
    """Leave out the functions that report an error, and what they call; all but these, if any."""
    reports = [_reports(frame) for frame in backtrace]
    first = reports.index(True) if True in reports else 0
    behind = next((at for at in range(first, len(reports)) if not reports[at]), 0)
    return backtrace[behind:]


def _reports(frame: Frame) -> bool:
    file = (frame.file or "").rpartition("/")[2].partition(".")[0]
    return not _REPORTING.isdisjoint(re.split(r"[_\W]", f"{frame.function}_{file}".lower()))


def what_stays(looks: Sequence[Sequence[Frame]]) -> list[Frame]:
    """Return of several looks at a kernel that hangs the functions that it is in all the time.

    One look in four may lack one: at a function's first and last instructions the caller's frame
    is not to be seen.
    """
    seen = Counter(name for look in looks for name in {frame.function for frame in look})
    stays = {name for name, count in seen.items() if 4 * count >= 3 * len(looks)}
    return max(([frame for frame in look if frame.function in stays] for look in looks), key=len)


def _choices(
    violations: Sequence[Violation], inspection: Inspection | None, memory_map: MemoryMap
) -> Iterator[tuple[int, str, str]]:
    """Yield rank, kind and place of what a machine's violations may be grouped by.

    The first cause counts. Then come conflicts of owners, by name: a forgotten reservation shows
    in several places at once, and in any order.
    """
    cause = next((one.kind for one in violations if one.kind.startswith(_CAUSES)), None)
    kinds = _CONFLICTS if cause is None else (cause,)
    chosen = [one for one in violations if one.kind in kinds and one.length]
    for violation in chosen or [one for one in violations if cause in (None, one.kind)][:1]:
        kind = _GIVEN_OUT[0] if violation.kind in _GIVEN_OUT else violation.kind
        where = _where(violation, inspection, memory_map)
        yield where.startswith(IN_PART), kind, where


def _where(violation: Violation, inspection: Inspection | None, memory_map: MemoryMap) -> str:
    if (operation := _OPERATION.search(violation.message)) and violation.kind.startswith("tape."):
        return operation[1]
    if inspection is None or violation.address is None or not violation.physical:
        return _words(violation.message, inspection)
    frames = _frames(violation, violation.address)
    if violation.kind == "firmware-map.extra":
        return claim(memory_map, frames)
    if violation.kind == "firmware-map.missing":
        return _part(inspection, frames)
    if violation.kind in _GIVEN_OUT:
        return _reason(inspection, frames, memory_map)
    if violation.kind.startswith(("frames.", "contents.")):
        return _owners(inspection, frames)
    return _words(violation.message, inspection)


def _frames(violation: Violation, address: int) -> range:
    first = address // FRAME_SIZE
    return range(first, first + max(1, violation.length // FRAME_SIZE))


def _part(inspection: Inspection, frames: range) -> str:
    """Say which part of a stretch of usable memory ``frames`` are."""
    usable = inspection.model.usable
    first = frames.start == 0 or not usable[frames.start - 1]
    last = frames.stop >= len(usable) or not usable[frames.stop]
    if first and last:
        return "all of a usable region"
    if first or last:
        return f"the {'start' if first else 'end'} of a usable region"
    return "the middle of a usable region"


def _reason(inspection: Inspection, frames: range, memory_map: MemoryMap) -> str:
    """Say why ``frames`` must not be given out."""
    model = inspection.model.widened(frames.stop)
    reason = int(model.reason[frames.start])
    if reason == NOT_USABLE:
        return claim(memory_map, frames)
    return _words(model.reasons[reason])


def _owners(inspection: Inspection, frames: range) -> str:
    found = next(iter(owned_frames(inspection, frames)), None)
    return _words(found.words) if found else "beyond all frames"


def _words(text: str, inspection: Inspection | None = None) -> str:
    """Return a text without numbers, names of zones, and what goes with one or several."""
    zones = {zone.name for zone in inspection.model.zones} if inspection else set()
    words = _NUMBERS.sub(_LEFT_OUT, _ASIDES.sub("", text)).split()
    told = [_LEFT_OUT if word in zones else _PLURALS.get(word, word) for word in words]
    once = re.sub(f"{_LEFT_OUT}( {_LEFT_OUT})+", _LEFT_OUT, " ".join(told))
    return shorten(once.removeprefix(f"{_LEFT_OUT} "), LONGEST, placeholder="").rstrip(" ,:;")
