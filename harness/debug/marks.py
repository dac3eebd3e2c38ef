"""States of a guest's past: the one at gdb's last stop, and those that a person has named."""

from __future__ import annotations

from harness.check.observation import NotToBeSeen
from harness.decode.state import MemoryState

MOST = 64
"""Named states that are kept; one takes some bytes a frame."""


class Marks:
    """The past of one boot."""

    def __init__(self) -> None:
        self._named: dict[str, MemoryState] = {}
        self._last: MemoryState | None = None
        self._here: MemoryState | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that there are, oldest first."""
        return tuple(self._named)

    def stop(self, state: MemoryState) -> None:
        """Note the state at a stop: what was the present one is now the last."""
        self._last, self._here = self._here, state

    def set(self, name: str, state: MemoryState) -> None:
        """Keep a state; raise :class:`NotToBeSeen` when there are too many."""
        if name not in self._named and len(self._named) >= MOST:
            raise NotToBeSeen(f"there are {MOST} marks already: use one of their names again")
        self._named[name] = state

    def get(self, name: str | None) -> MemoryState:
        """Return the state of a name, None: at the last stop; raise :class:`NotToBeSeen`."""
        if name is None:
            if self._last is None:
                raise NotToBeSeen("this is the first stop since the boot: there is no last one")
            return self._last
        if name not in self._named:
            known = ", ".join(self._named) or "none"
            raise NotToBeSeen(f"no mark {name!r}; there are: {known}")
        return self._named[name]
