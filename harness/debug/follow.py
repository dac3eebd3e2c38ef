"""Stop a replayed guest at each store to some words, and see who does it.

The stop is a watchpoint's: just behind the storing instruction, with its registers. Watchpoints are
for virtual addresses, through which other frames may be written as well; where that happens the
replay runs on without them to shortly before the next store that is known.
"""

from __future__ import annotations

import select
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from harness.debug.history import WORD, Write
from harness.debug.stores import StoreTable
from harness.decode.belief.paging import FRAME_SIZE, ControlRegisters
from harness.decode.page_walk import walk
from harness.image.kernel_image import KernelImage
from harness.machine.backtrace import Frame, backtrace, frame_at
from harness.machine.errors import MachineTimeout, QemuFailed
from harness.machine.recording import CountedGuest, break_at
from harness.machine.registers import Registers
from harness.ram.gdb_stub import GdbStub

STOP_SECONDS = 60.0
"""Of the wall clock that a replay may go on without a stop; a whole boot takes less than one."""
MOST_STOPS = 20_000
"""Without a plugin, stops after which nothing more is followed: some ten seconds."""


@dataclass(frozen=True)
class Stop:
    """A guest just behind a store."""

    count: int
    registers: Registers
    guest: CountedGuest

    def translate(self, virtual: int) -> int | None:
        """Return the physical address of a virtual one, None if unmapped."""
        found = walk(self.guest.ram, _control(self.registers), virtual)
        return None if found.fault else found.physical

    def frames(self, code: int | None) -> tuple[Frame, ...]:
        """Return who called whom, innermost first; ``code`` is where the store is, if known."""
        kernel = self.guest.kernel
        pages: dict[int, int | None] = {}

        def translate(virtual: int) -> int | None:
            page = virtual // FRAME_SIZE
            if page not in pages:
                pages[page] = self.translate(page * FRAME_SIZE)
            base = pages[page]
            return None if base is None else base + virtual % FRAME_SIZE

        behind = code is None  # then the instruction before is the one
        at = self.registers.eip if code is None else code
        found = backtrace(kernel, self.registers, self.guest.ram, translate)
        return (frame_at(kernel, linked(kernel, at), returning=behind), *found[1:])


def linked(kernel: KernelImage, address: int) -> int:
    """Return the address that the kernel was linked for, of code that runs where it was loaded."""
    if kernel.function_at(address) is None:
        for segment in kernel.segments:
            if 0 <= address - segment.physical < segment.memory_size:
                return address - segment.physical + segment.virtual
    return address


class Follower:
    """Follows words through one replay that has come to the kernel's entry."""

    def __init__(self, guest: CountedGuest, words: Sequence[int], watched: Iterable[int]) -> None:
        """``words`` are physical, ``watched`` the virtual addresses of their mappings."""
        self.guest = guest
        self.words = words
        self._watched = sorted(set(watched))
        self._known = [self._value(word) for word in words]

    def _value(self, word: int) -> int:
        return int.from_bytes(self.guest.ram.read(word, WORD), "little")

    def by_table(
        self, table: StoreTable, due: Sequence[int], slack: int, length: int
    ) -> list[list[Write]]:
        """Return each word's writes, as the replay's own plugin lists them at each stop.

        ``due`` are the instruction counts of the stores of an earlier run, ascending, each at most
        ``slack`` too high; ``length`` is that of the whole record.
        """
        seen = [0] * len(self.words)
        found: list[list[Write]] = [[] for _ in self.words]
        with self.guest.stub() as stub:
            run = _Run(self.guest, stub, self._watched, length)
            idle = True
            while True:
                if idle and run.approach(_next(due, run.count) - slack - 1):
                    seen = [table.total(index) for index in range(len(self.words))]
                stop = run.resume()
                if stop is None:
                    return found
                idle = True
                for index, before in enumerate(seen):
                    if table.total(index) > before:
                        new = list(self._listed(stop, index, table.last(index, before)))
                        found[index] += new
                        seen[index], idle = table.total(index), idle and not new

    def _listed(self, stop: Stop, index: int, rows: Iterable[Mapping[str, int]]) -> Iterator[Write]:
        for row in rows:
            address, size = int(row["address"]), int(row["size"])
            tail = (address + size - 1) // FRAME_SIZE * FRAME_SIZE
            if (
                row["uncertain"]
                and stop.translate(tail) != self.words[index] // FRAME_SIZE * FRAME_SIZE
            ):
                continue
            frames = stop.frames(int(row["code"]))
            yield Write(stop.count, int(row["old"]), int(row["new"]), frames, address, size)

    def by_address(self, length: int, most: int) -> tuple[list[deque[Write]], list[int], bool]:
        """Return the last ``most`` writes of each word, all their numbers, and whether to the end.

        Without a plugin: a stop counts for a word when a watched address leads to it then.
        """
        found: list[deque[Write]] = [deque(maxlen=most) for _ in self.words]
        totals = [0] * len(self.words)
        with self.guest.stub() as stub:
            run = _Run(self.guest, stub, self._watched, length)
            run.approach(0)
            for _ in range(MOST_STOPS):
                stop = run.resume()
                if stop is None:
                    return found, totals, True
                for index, address in self._reached(stop, run.hit):
                    old, new = self._known[index], self._value(self.words[index])
                    self._known[index] = new
                    totals[index] += 1
                    found[index].append(Write(stop.count, old, new, stop.frames(None), address))
        return found, totals, False

    def _reached(self, stop: Stop, address: int) -> Iterator[tuple[int, int]]:
        physical = stop.translate(address // WORD * WORD)
        for index, word in enumerate(self.words):
            if physical == word:
                yield index, address


def _next(due: Sequence[int], count: int) -> int:
    """Return the first of ``due`` behind ``count``; behind them all, one that never comes."""
    index = bisect_right(due, count)
    return due[index] if index < len(due) else 1 << 62


class _Run:
    """A replay under a debugger, up to the end of the record."""

    def __init__(
        self, guest: CountedGuest, stub: GdbStub, watched: Sequence[int], length: int
    ) -> None:
        self._guest, self._stub, self._watched, self._length = guest, stub, watched, length
        self._armed = False
        self.count = guest.executed()
        self.hit = 0
        """The virtual address at which the last stop's watchpoint is."""

    def approach(self, count: int) -> bool:
        """Run without watchpoints until ``count`` at most, if that is still to come, then set them.

        Return whether the guest has run.
        """
        ahead = count > self.count
        if ahead:
            self._arm(False)
            break_at(self._guest, min(count, self._length))
            self._stub.resume()
            _stop_reply(self._guest, self._stub)
            self.count = self._guest.executed()
            break_at(self._guest, self._length)
        self._arm(True)
        return ahead

    def _arm(self, armed: bool) -> None:
        if armed != self._armed:
            act = self._stub.insert_watchpoint if armed else self._stub.remove_watchpoint
            for address in self._watched:
                act(address, WORD)
            self._armed = armed

    def resume(self) -> Stop | None:
        """Run to the next stop at a watchpoint; None when there is none up to the end."""
        if self.count >= self._length:
            return None
        self._stub.resume()
        _, watchpoint, rest = _stop_reply(self._guest, self._stub).partition("watch:")
        self.count = self._guest.executed()
        if not watchpoint:
            return None
        self.hit = int(rest.partition(";")[0], 16)
        return Stop(self.count, _registers(self._stub), self._guest)


def _stop_reply(guest: CountedGuest, stub: GdbStub) -> str:
    """Wait until the guest stops, reading its console: it waits for that, too."""
    console, process = guest.console, guest._vm.process
    deadline = time.monotonic() + STOP_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        sources = [stub.fileno(), console.fileno(), process.exit_descriptor]
        ready, _, _ = select.select(sources, [], [], left)
        if process.exit_descriptor in ready:
            raise QemuFailed(process.how_it_ended())
        if console.fileno() in ready:
            console.receive()
        if stub.fileno() in ready and (reply := stub.look_for_stop()) is not None:
            return reply
    raise MachineTimeout(f"the replay came to no stop within {STOP_SECONDS:g} s")


def _registers(stub: GdbStub) -> Registers:
    """Return the registers; the stub is quicker at that than QEMU's monitor."""
    values = stub.qemu_i386_registers()
    return Registers(**{item.name: values.get(item.name, 0) for item in fields(Registers)})


def _control(registers: Registers) -> ControlRegisters:
    return ControlRegisters(registers.cr0, registers.cr3, registers.cr4, registers.efer)
