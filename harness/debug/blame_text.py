"""Who wrote a word, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from harness.check.violation import Violation
from harness.debug.accuse import Accusation
from harness.debug.history import Blame, History, Write
from harness.machine.backtrace import Frame

EARLIER = 9
"""Writes before the last one that are told unless all are wanted."""
BRIEFLY = 2
"""Writes before the last one that are told with a violation."""


def blame_text(blame: Blame, everything: bool = False) -> str:
    """Return the last writer of each word, and the earlier ones in a line each, newest first."""
    parts = ["\n".join(_history(history, everything)) for history in blame.histories]
    return "\n".join([*parts, *(f"note: {doubt}" for doubt in blame.doubts)])


def blame_json(blame: Blame) -> dict[str, Any]:
    """Return all of it as JSON values."""
    return {
        "instructions": blame.length,
        "doubts": list(blame.doubts),
        "words": [_history_json(history) for history in blame.histories],
    }


def accusation_text(accusation: Accusation, violation: Violation) -> list[str]:
    """Return lines about who is to blame for one violation; none where nothing is known."""
    if violation in accusation.unseen:
        return ["the boot that was recorded does not show this: it took another path"]
    if (history := accusation.histories.get(violation)) is None:
        return []
    stores = [write for write in reversed(history.writes) if write.change is None]
    place = f"the word at physical 0x{history.physical:08x}"
    if not stores:
        return [f"{place} was never written: 0x{history.final:08x} is from {history.source}"]
    last, earlier = stores[0], stores[1 : 1 + BRIEFLY]
    lines = [f"{place} was last written by {_at(last)}"]
    if last.frames[1:]:
        callers = ", ".join(frame.function or f"0x{frame.address:08x}" for frame in last.frames[1:])
        lines.append(f"called from {callers}")
    return [*lines, *(f"before that by {_at(write)}" for write in earlier)]


def _at(write: Write) -> str:
    return f"{_where(write)}: {_values(write)}, instruction {write.count}"


def _history(history: History, everything: bool) -> Iterator[str]:
    yield f"physical 0x{history.physical:08x} is 0x{history.final:08x} at the end"
    newest_first = history.writes[::-1]
    shown = newest_first if everything else newest_first[: EARLIER + 1]
    for index, write in enumerate(shown):
        yield f"  {write.count:>10}  {_values(write)}  {_where(write)}"
        if write.change is None and (index == 0 or everything):
            yield from (f"{'':14}called from {_frame(frame)}" for frame in write.frames[1:])
    left = len(newest_first) - len(shown)
    if left:
        yield f"  … {left} earlier (--all shows them)"
    if history.left_out:
        yield f"  … {history.left_out} writes before these were not looked at"
    yield f"  {'at entry':>10}  0x{history.first:08x}, from {history.source}"


def _values(write: Write) -> str:
    partial = f" ({_bytes(write)})" if write.address is not None and _is_partial(write) else ""
    return f"0x{write.old:08x} -> 0x{write.new:08x}{partial}"


def _is_partial(write: Write) -> bool:
    return write.size != 4 or bool(write.address and write.address % 4)


def _bytes(write: Write) -> str:
    return f"{write.size} byte{'s' * (write.size != 1)} to 0x{write.address:08x}"


def _where(write: Write) -> str:
    return write.change.value if write.change else _frame(write.frames[0])


def _frame(frame: Frame) -> str:
    place = f" ({frame.file}:{frame.line})" if frame.file else f" (0x{frame.address:08x})"
    return f"{frame.function or 'code outside the kernel'}{place}"


def _history_json(history: History) -> dict[str, Any]:
    return {
        "physical": history.physical,
        "first": history.first,
        "source": history.source,
        "final": history.final,
        "left_out": history.left_out,
        "writes": [_write_json(write) for write in history.writes],
    }


def _write_json(write: Write) -> dict[str, Any]:
    return asdict(write) | {"change": write.change and write.change.name.lower()}


def accusation_json(accusation: Accusation, violations: Iterable[Violation]) -> list[Any]:
    """Return for each of ``violations`` its word's history, or null."""
    histories = (accusation.histories.get(one) for one in violations)
    return [None if one is None else _history_json(one) for one in histories]
