"""What has changed between two states of one memory manager, in words for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.check.changed_frames import note_frames
from harness.check.changed_heaps import note_heaps
from harness.check.changed_pages import note_pages
from harness.check.changes import Change, Changes
from harness.check.faults import every_fault
from harness.decode.belief.fault import DecodeFault
from harness.decode.state import MemoryState


@dataclass(frozen=True)
class Difference:
    """Everything that is not as it was; true when there is something."""

    changes: tuple[Change, ...]
    """Frames first, then pages, then what heaps have in them."""

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __str__(self) -> str:
        """Return a line for each change."""
        return "\n".join(map(str, self.changes)) or "nothing has changed"

    def about(self, structure: str) -> tuple[Change, ...]:
        """Return the changes of one structure, such as ``free lists buddy``."""
        return tuple(change for change in self.changes if change.structure == structure)


def difference(before: MemoryState, now: MemoryState) -> Difference:
    """Return what has changed from ``before`` to ``now``, two states of one boot.

    Of each structure a bounded number of changes is spelled out and the rest counted.
    """
    changes = Changes()
    changes.add_value("state", "moment", before.moment, now.moment)
    note_frames(changes, before, now)
    note_pages(changes, before, now)
    note_heaps(changes, before, now)
    _note_faults(changes, before, now)
    return Difference(changes.result())


def _note_faults(changes: Changes, before: MemoryState, now: MemoryState) -> None:
    old, new = (dict.fromkeys(every_fault(state)) for state in (before, now))
    for fault in new.keys() - old.keys():
        changes.add(_name(fault), f"cannot be decoded any more: {fault.message}")
    for fault in old.keys() - new.keys():
        changes.add(_name(fault), f"can be decoded now; before: {fault.message}")


def _name(fault: DecodeFault) -> str:
    return f"decoding {fault.structure}"
