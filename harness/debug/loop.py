"""One thread that waits for many: whatever is readable first is served first."""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable
from typing import Self

Callback = Callable[[], object]


class Loop:
    """Calls a function whenever a descriptor is readable.

    QEMU ends with the thread that started it, so that threads would not do here.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add(self, descriptor: int, callback: Callback) -> None:
        """Call ``callback`` when ``descriptor`` is readable, from now on."""
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def remove(self, descriptor: int) -> None:
        """Heed ``descriptor`` no more; it may have been removed already."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(descriptor)

    def run(self, done: Callable[[], bool]) -> None:
        """Serve until ``done`` says so after something has happened."""
        while not done():
            for key, _ in self._selector.select():
                if key.fd in self._selector.get_map():  # another callback may have removed it
                    key.data()

    def close(self) -> None:
        """Give the selector back."""
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
