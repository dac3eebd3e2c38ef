"""The state in a core, with which another guest's is compared."""

from __future__ import annotations

from pathlib import Path

from harness.check.observation import NotToBeSeen, Observation
from harness.decode.state import MemoryState
from harness.machine.saved_guest import load_guest


def state_in_core(name: str | None) -> MemoryState:
    """Return what is in the core called ``name``: the past of guests that have no other.

    Raise :class:`NotToBeSeen` without a name, and like :func:`load_guest`.
    """
    if name is None:
        raise NotToBeSeen("diff needs the file of an earlier core to compare with")
    guest = load_guest(Path(name))
    return Observation(guest, guest.moment).state
