"""Stop a replayed guest just behind each store to some words, and see who does it.

Watchpoints are quick. But they are for virtual addresses, through which other frames may be written
as well, and they disturb an interrupt that pushes its frame there: QEMU 7.2 then ends. Counting
instructions disturbs nothing and takes longer; a fault whose instruction begins anew makes the
counts of an earlier run too high, so that several have to be tried.
"""

from __future__ import annotations

import select
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from harness.debug.history import WORD, Write
from harness.debug.stores import Stores, StoreTable
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
NEVER = 1 << 62
"""An instruction that no record has."""
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


@dataclass(frozen=True)
class Due:
    """The stores that an earlier run has told of."""

    counts: Sequence[int]
    """Instructions up to each, ascending."""
    slack: int
    """The most by which a count is too high."""
    length: int
    """Instructions of the whole record."""
    skipped: Sequence[int]
    """Of each word the number of stores before these."""

    def behind(self, count: int) -> int:
        """Return the first count behind ``count``; behind them all, one that never comes."""
        index = bisect_right(self.counts, count)
        return self.counts[index] if index < len(self.counts) else NEVER


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

    def by_table(self, table: StoreTable, due: Due, counting: bool) -> list[list[Write]]:
        """Return each word's writes, as the replay's own plugin lists them at each stop.

        Stops by ``counting`` instructions or at watchpoints.
        """
        found: list[list[Write]] = [[] for _ in self.words]
        with self.guest.stub() as stub:
            run = _Run(self.guest, stub, self._watched, due.length)
            stops = self._at_counts if counting else self._at_watchpoints
            for stop, index, rows in stops(run, table, due):
                found[index] += self._listed(stop, index, rows)
        return found

    def _at_counts(self, run: _Run, table: StoreTable, due: Due) -> Iterator[_Found]:
        """Try each instruction that may be the one of a store that is due."""
        seen = [0] * len(self.words)
        for count in due.counts:
            for target in range(max(count - due.slack, run.count + 1), count + 1):
                stop = run.to(target)
                rows = [table.last(index, before) for index, before in enumerate(seen)]
                fresh = [one[one["executed"] == count + self.guest.first] for one in rows]
                if any(map(len, fresh)):
                    seen = [table.total(index) for index in range(len(self.words))]
                    yield from ((stop, index, one) for index, one in enumerate(fresh) if len(one))
                    break

    def _at_watchpoints(self, run: _Run, table: StoreTable, due: Due) -> Iterator[_Found]:
        """Stop at each write to a watched address.

        Those that write to other words are left behind: the next stop is shortly before the next
        store that is due.
        """
        seen, idle = [0] * len(self.words), True
        while True:
            if idle and run.approach(due.behind(run.count) - due.slack - 1):
                seen = [table.total(index) for index in range(len(self.words))]
            # Exact counts need not be asked for: that costs as much as the stop.
            stop = run.resume(due.behind(run.count) if due.slack == 0 else None)
            if stop is None:
                return
            idle = True
            for index, before in enumerate(seen):
                wanted = max(before, due.skipped[index])
                if table.total(index) > wanted:
                    yield stop, index, table.last(index, wanted)
                    run.count, idle = stop.count, False
                seen[index] = table.total(index)

    def _listed(self, stop: Stop, index: int, rows: Stores) -> Iterator[Write]:
        page = self.words[index] // FRAME_SIZE * FRAME_SIZE
        for row in rows:
            address, size = int(row["address"]), int(row["size"])
            end = (address + size - 1) // FRAME_SIZE * FRAME_SIZE
            if row["uncertain"] and stop.translate(end) != page:
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


_Found = tuple[Stop, int, Stores]
"""A stop, the index of a word, and what was stored to it there."""


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

    def to(self, count: int) -> Stop:
        """Run without watchpoints until so many instructions were executed."""
        self._arm(False)
        break_at(self._guest, count)
        self._stub.resume()
        _stop_reply(self._guest, self._stub)
        self.count = count
        return Stop(count, _registers(self._stub), self._guest)

    def _arm(self, armed: bool) -> None:
        if armed != self._armed:
            act = self._stub.insert_watchpoint if armed else self._stub.remove_watchpoint
            for address in self._watched:
                act(address, WORD)
            self._armed = armed

    def resume(self, count: int | None = None) -> Stop | None:
        """Run to the next stop at a watchpoint; None when there is none up to the end.

        ``count`` is that of the stop, if it is known.
        """
        if self.count >= self._length:
            return None
        self._stub.resume()
        _, watchpoint, rest = _stop_reply(self._guest, self._stub).partition("watch:")
        if not watchpoint:
            return None
        self.hit = int(rest.partition(";")[0], 16)
        if count is None:
            count = self.count = self._guest.executed()
        return Stop(count, _registers(self._stub), self._guest)


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
