"""Warm machines: a reset in place of a new process."""

from __future__ import annotations

from typing import Protocol, Self

from harness.machine.guest import Guest
from harness.machine.layout import has_display, one_piece
from harness.machine.limits import check_spec
from harness.machine.machine import Machine
from harness.machine.qemu import Extra
from harness.machine.spec import BootPath, MachineSpec

SIZE = 16
"""Machines: campaigns change memory, CPU and kind of fill, and a new machine costs ten boots."""

MAX_BYTES = 1 << 30
"""Of the host's memory that the guests of one pool may keep between boots."""

_Key = tuple[object, ...]


class Observer(Protocol):
    """Something inside QEMU that sees what a guest does."""

    @property
    def extra(self) -> Extra:
        """What QEMU must be given."""
        ...

    def clear(self) -> None:
        """Forget what was seen: another guest is to boot."""
        ...

    def seen(self) -> frozenset[int]:
        """Return the numbers of the places at which the guest has been since then."""
        ...


class Pool:
    """Up to ``size`` machines that are kept for their next boot; a context manager.

    A machine is used again for a spec with the same kernel, memory, CPU and kind of fill, on the
    direct path; the other paths get a new process each. The longest unused goes first, when there
    are too many or when they take more than ``max_bytes``. For one thread; give each worker
    process a pool of its own.
    """

    def __init__(self, size: int = SIZE, max_bytes: int = MAX_BYTES) -> None:
        if size < 1:
            raise ValueError("a pool keeps at least one machine")
        self._size = size
        self._max_bytes = max_bytes
        self._machines: dict[_Key, Machine] = {}
        self.observer: Observer | None = None
        """Sees every guest, if it is set before the first one boots."""

    def boot(self, spec: MachineSpec) -> Guest:
        """Return a guest like :meth:`Machine.boot`; it is valid until the pool's next boot."""
        check_spec(spec)
        key = _key(spec)
        machine = self._machines.pop(key, None)
        self._make_room()
        if machine is None:
            machine = Machine(spec, self.observer.extra if self.observer else None)
        # The newest is last. Known to the pool before it starts: an interrupt must not lose it.
        self._machines[key] = machine
        try:
            if self.observer is not None:
                self.observer.clear()
            return machine.boot(spec)
        except BaseException:
            del self._machines[key]
            machine.close()
            raise

    def _make_room(self) -> None:
        """Close the longest unused machines until another one may be added."""
        kept = sum(machine.resident_bytes() for machine in self._machines.values())
        for key, machine in list(self._machines.items()):
            idle = not machine.running or key[0] is not BootPath.DIRECT
            if idle or len(self._machines) >= self._size or kept > self._max_bytes:
                kept -= machine.resident_bytes()
                del self._machines[key]
                machine.close()

    def close(self) -> None:
        """End all machines; the pool can be used again."""
        while self._machines:
            _, machine = self._machines.popitem()
            machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _key(spec: MachineSpec) -> _Key:
    """Return what two specs must share to be booted by one process.

    The emulator keeps translated code, so another kernel needs another process.
    """
    kernel = spec.kernel
    return (
        *(spec.boot, kernel.build_id, kernel.path, len(kernel.contents)),
        *(spec.memory, one_piece(spec), has_display(spec), spec.cpu, spec.icount, spec.fill.kind),
    )
