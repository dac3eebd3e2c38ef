"""Tapes: operations in guest RAM that the kernel carries out at one command of its console.

A machine gets a tape as a boot module (:func:`tape_module`); once its kernel is ready,
``Tape(guest).run(operations)`` carries any number of operations out, in pieces of what fits::

    spec = MachineSpec(kernel, 64 << 20, modules=(tape_module(kernel),))
    with pool.boot(spec) as guest:
        guest.run_until_ready()
        tape = Tape(guest)
        results = tape.run(operations([operation(Kind.FRAMES_ALLOC, slot=0, size=4)]))

With ``icount=True`` the ticks of a result are guest instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.image.kernel_image import KernelImage
from harness.machine.ending import Ending
from harness.machine.errors import GuestEnded, MachineError
from harness.machine.guest import Guest
from harness.machine.multiboot import Placement, module_called
from harness.machine.spec import Module
from harness.workload.operation import RESULT, Operations, Results, in_words
from harness.workload.tape_format import TapeFormat

OPERATIONS = 65536
SLOTS = 65536
PIECE_TIMEOUT = 60.0
"""CPU seconds of QEMU's that one piece of a tape may take."""


class TapeError(MachineError):
    """A tape that cannot be run, or that the guest did not run as it should."""


class TapeAbsent(TapeError):
    """A guest that was booted without a tape, or without its name."""


class TapeRefused(TapeError):
    """The kernel cannot run its tape where it lies, and says so."""


class TapeEnded(GuestEnded):
    """The guest ended in the middle of a tape."""

    def __init__(self, ending: Ending, position: int, words: str, results: Results) -> None:
        super().__init__(ending)
        self.args = (f"operation {position}, {words}, ended the guest: {ending}",)
        self.position = position
        """Of the operation under way, from 0."""
        self.results = results
        """Of all operations before it."""


def tape_module(kernel: KernelImage, operations: int = OPERATIONS, slots: int = SLOTS) -> Module:
    """Return an empty tape as a boot module.

    ``operations`` fit into one piece; ``slots`` is how many blocks may be told apart. Raise
    :class:`harness.image.errors.DescriptionError` for a kernel that has no tapes.
    """
    form = TapeFormat.of(kernel)
    return Module(form.blank(operations, slots), form.description.module)


def written_tape(kernel: KernelImage, module: Module, operations: Operations) -> Module:
    """Return a tape that holds ``operations`` from the beginning; :func:`run_command` runs them.

    A boot that is recorded knows nothing of what is written to RAM on the way.
    """
    form = TapeFormat.of(kernel)
    start = int(form.header.parse(module.data).operations)
    encoded = form.encode(operations)
    data = module.data[:start] + encoded + module.data[start + len(encoded) :]
    return Module(data, module.string)


def run_command(kernel: KernelImage, count: int) -> str:
    """Return the monitor's command that runs so many operations of a tape."""
    return TapeFormat.of(kernel).description.run.replace("{count}", str(count))


class Tape:
    """The tape of a guest that is ready."""

    def __init__(self, guest: Guest) -> None:
        """Find the guest's tape; raise :class:`TapeAbsent` when it was booted without."""
        self._guest = guest
        self._format = TapeFormat.of(guest.kernel)
        self._place = _placement(guest, self._format)
        header = self._header()
        if not self._format.fits(header, self._place.length):
            raise TapeError("the boot module's header is not a tape's")
        self.operations = int(header.operation_capacity)
        """Operations that fit into one piece."""
        self.slots = int(header.slot_capacity)
        self._layout = {name: header[name] for name in _FIXED}

    def run(
        self,
        operations: Operations,
        progress: Callable[[int], object] = int,
        timeout: float = PIECE_TIMEOUT,
    ) -> Results:
        """Carry operations out, in order, and return their results.

        ``progress`` is called with the number of operations done, ``timeout`` is in CPU seconds
        for each piece. Raise ``ValueError`` for an operation that this tape cannot hold,
        :class:`TapeEnded` when the guest ends on the way, and :class:`TapeError` when it does
        not do as it was told.
        """
        encoded = self._encoded(operations)
        results = np.zeros(len(operations), dtype=RESULT)
        size = self._format.operation.itemsize
        for start in range(0, len(operations), self.operations):
            end = min(start + self.operations, len(operations))
            self._guest.ram.write(self._at("operations"), encoded[start * size : end * size])
            try:
                self._run_piece(end - start, timeout)
            except GuestEnded as error:
                done = start + self._position(end - start)
                results[start:done] = self._results(done - start)
                words = in_words(operations[done]) if done < end else "the last"
                raise TapeEnded(error.ending, done, words, results[:done]) from error
            results[start:end] = self._results(end - start)
            progress(end)
        return results

    def live(self) -> dict[int, int]:
        """Return slot → value of every slot that is not empty."""
        values = self._slots()["value"]
        return {int(slot): int(values[slot]) for slot in np.flatnonzero(values)}

    def sizes(self) -> npt.NDArray[np.uint32]:
        """Return the size of each slot's block: bytes, or frames as they were granted."""
        return np.array(self._slots()["size"])

    @property
    def overhead(self) -> int:
        """Ticks of a call that does nothing, which were taken off the last piece's results."""
        return int(self._header().overhead)

    @property
    def has_clock(self) -> bool:
        """Whether the last piece's ticks say something: a CPU without a counter has none."""
        return self.overhead > 0

    def _encoded(self, operations: Operations) -> bytes:
        if not self.operations:
            raise ValueError("this tape has no room for operations")
        beyond = np.flatnonzero(operations["slot"] >= self.slots)
        if len(beyond):
            first = int(beyond[0])
            slot = operations["slot"][first]
            raise ValueError(f"operation {first}: slot {slot}, and the tape has {self.slots}")
        return self._format.encode(operations)

    def _run_piece(self, count: int, timeout: float) -> None:
        answer = self._guest.monitor.command(run_command(self._guest.kernel, count), timeout)
        if not answer.ok:
            raise TapeRefused(f"the kernel refused a tape: {answer.text}")
        header = self._header()
        if {name: header[name] for name in _FIXED} != self._layout:
            raise TapeError("the guest wrote into its tape's header what is not its to write")
        if (header.count, header.position) != (count, count):
            raise TapeError(
                f"the kernel says that it has run {header.position} of {header.count} operations, "
                f"and {count} were asked for"
            )

    def _position(self, count: int) -> int:
        """Return how far the guest got with a piece, by its own word."""
        return min(int(self._header().position), count)

    def _results(self, count: int) -> Results:
        found = self._guest.ram.array(self._at("results"), self._format.result, count)
        return self._format.decode(np.array(found))

    def _slots(self) -> npt.NDArray[Any]:
        return self._guest.ram.array(self._at("slots"), self._format.slot, self.slots)

    def _at(self, name: str) -> int:
        return self._place.start + int(self._layout[name])

    def _header(self) -> Any:
        data = self._guest.ram.read(self._place.start, self._format.header.sizeof())
        return self._format.header.parse(data)


_FIXED = ("magic", "operation_capacity", "slot_capacity", "operations", "results", "slots")
"""Members of the header that only the harness writes."""


def _placement(guest: Guest, form: TapeFormat) -> Placement:
    place = module_called(guest.placements, form.description.module)
    if place is None:
        raise TapeAbsent(f"no boot module is called {form.description.module!r}: see tape_module()")
    return place
