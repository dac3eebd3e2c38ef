"""Warm machines for the tests of one process."""

from __future__ import annotations

from types import TracebackType

import pytest

from harness.debug.guest import DebuggedGuest
from harness.machine.guest import Guest
from harness.machine.pool import MAX_BYTES, Pool
from harness.machine.spec import MachineSpec
from harness.pytest_plugin.current import forget_guest, note_guest, running_test
from harness.pytest_plugin.properties import note_properties

MOST = 8
"""Guests that one test may have at once; each is a process with memory of its own."""
KEPT = 8
"""Machines that are kept for the first of them; there may be many test processes."""


class NotedPool(Pool):
    """A pool whose newest guest is known to belong to the running test."""

    def __init__(self, config: pytest.Config, size: int = KEPT, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(size, max_bytes)
        self._config = config
        self._guest: DebuggedGuest | None = None

    def boot(self, spec: MachineSpec) -> DebuggedGuest:
        """Return a guest like :meth:`Pool.boot`, with its decoders, checks and debugger."""
        item = running_test(self._config)
        if item is not None:
            forget_guest(item, self)
        self._guest = guest = DebuggedGuest(super().boot(spec))
        if item is not None:
            note_guest(item, self, guest)
            note_properties(item, guest)
        return guest

    def detach(self) -> None:
        """End the debugger of the newest guest, if it has one."""
        if self._guest is not None:
            self._guest.detach()


class WarmMachines:
    """Pools, one for each guest that a test has at once."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._pools: list[NotedPool] = []
        self._leased: set[NotedPool] = set()

    def boot(self, spec: MachineSpec) -> LeasedGuest:
        """Return a guest that stays valid when others are booted, until it is given back."""
        pool = self._free_pool()
        guest = pool.boot(spec)
        self._leased.add(pool)
        return LeasedGuest(guest, pool, self._leased)

    def give_back(self) -> None:
        """Take all guests back, without their debuggers: a test is over."""
        for pool in self._leased:
            pool.detach()
        self._leased.clear()

    def _free_pool(self) -> NotedPool:
        for pool in self._pools:
            if pool not in self._leased:
                return pool
        if len(self._pools) == MOST:
            pytest.fail(
                f"this test has {MOST} guests at once; boot one after another:\n"
                "    with boot(…) as guest:",
                pytrace=False,
            )
        # Most tests have one guest at a time: what the others keep warm must not pile up.
        size, kept = (2, MAX_BYTES // MOST) if self._pools else (KEPT, MAX_BYTES)
        self._pools.append(NotedPool(self._config, size, kept))
        return self._pools[-1]

    def close(self) -> None:
        """End all machines."""
        while self._pools:
            self._pools.pop().close()


class LeasedGuest(DebuggedGuest):
    """A guest whose machine is free for another after its ``with`` block."""

    def __init__(self, guest: Guest, pool: NotedPool, leased: set[NotedPool]) -> None:
        super().__init__(guest)
        self._pool, self._leased = pool, leased

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        if error is None:  # a failure's report is about this guest
            self._leased.discard(self._pool)
