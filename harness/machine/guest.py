"""A kernel on a running machine, from its first instruction to its end."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.image.kernel_image import KernelImage
from harness.machine.backtrace import Frame
from harness.machine.core_file import save_core
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.layout import has_display
from harness.machine.monitor import KernelMonitor
from harness.machine.multiboot import BootInformation, Placement
from harness.machine.registers import Registers
from harness.machine.screen import Screen
from harness.machine.spec import MachineSpec
from harness.machine.vm import Vm
from harness.machine.watch import Match, Watch
from harness.maps.memory_map import MemoryMap
from harness.ram.gdb_stub import GdbStub
from harness.ram.live import LiveRam

BOOT_TIMEOUT = 10.0
"""CPU seconds of QEMU's that a boot may take; the bundled kernel needs some milliseconds."""


class Guest:
    """One boot. Valid until its machine boots again or closes."""

    def __init__(
        self,
        spec: MachineSpec,
        vm: Vm,
        information: BootInformation | None,
        ended: Ending | None = None,
    ) -> None:
        self.spec = spec
        self.information = information
        """What the kernel was told; None when it was never reached."""
        self._vm = vm
        self._ended = ended
        self._watch = Watch(vm, spec.kernel)
        self.console = vm.console
        self.console.wait = self._wait_for_text
        self.screen = Screen(vm, has_display(spec), self._wait_for_row)
        self.monitor = KernelMonitor(self, spec.kernel.description)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._vm.process.alive:
            self.pause()

    @property
    def kernel(self) -> KernelImage:
        """The kernel that was booted."""
        return self.spec.kernel

    @property
    def ram(self) -> LiveRam:
        """Guest RAM by physical address; a write is at once the guest's."""
        return self._vm.ram

    @property
    def memory_map(self) -> MemoryMap:
        """The map as the kernel is given it; empty when the kernel was never reached."""
        return self.information.memory_map if self.information else MemoryMap(())

    @property
    def placements(self) -> tuple[Placement, ...]:
        """What the loader left in RAM beside the kernel, in physical bytes."""
        return self.information.placements if self.information else ()

    @property
    def qemu_version(self) -> str:
        """The version of the QEMU that it runs on, such as ``7.2.22``."""
        return self._vm.qmp.version

    def registers(self) -> Registers:
        """Return the CPU's registers; pause the machine first."""
        return self._vm.registers()

    def backtrace(self) -> tuple[Frame, ...]:
        """Return who called whom, innermost first; pause the machine first."""
        return self._watch.backtrace(self.registers())

    def translate(self, virtual: int) -> int | None:
        """Return the physical address behind ``virtual`` by QEMU's own walk, None if unmapped."""
        return self._vm.translate(virtual)

    def qemu(self, command: str) -> str:
        """Run a command of QEMU's human monitor (``info tlb`` …) and return what it prints."""
        return self._vm.qmp.human(command)

    @property
    def news(self) -> tuple[int, ...]:
        """The descriptors that are readable when :meth:`look` has something to see."""
        return self.console.fileno(), self._vm.qmp.fileno(), self._vm.process.exit_descriptor

    @property
    def qemu_alive(self) -> bool:
        """Whether QEMU still runs; its guest's RAM can be read in any case."""
        return self._vm.process.alive

    def is_running(self) -> bool:
        """Ask QEMU whether the CPU runs, for a guest that somebody else resumes and stops.

        Raise :class:`harness.machine.errors.QemuFailed` when QEMU is gone.
        """
        return self._vm.run_state() == "running"

    def is_over(self) -> bool:
        """Ask QEMU whether the guest has reset itself or switched off: it cannot run any more.

        Raises like :meth:`is_running`.
        """
        return self._vm.run_state() in ("shutdown", "internal-error")

    def pause(self) -> None:
        """Stop the CPU."""
        self._vm.pause()

    def resume(self) -> None:
        """Let the CPU run (again)."""
        self._vm.resume()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Keep the CPU stopped for a while; afterwards it runs if it did before.

        Raise :class:`GuestEnded` when QEMU is gone.
        """
        if dead := self._watch.dead():
            raise GuestEnded(dead)
        ran = self._vm.running
        self.pause()
        try:
            yield
        finally:
            if ran and self._vm.process.alive:
                self.resume()

    def run_until_ready(self, timeout: float = BOOT_TIMEOUT) -> Ending:
        """Run until the kernel says that it is ready, or ends in another way.

        ``timeout`` is in seconds of CPU time that QEMU uses, so that a busy host makes no hangs;
        of the wall clock it may be ten times as much. A kernel whose description does not say
        how it tells that it is ready is ``RUNNING`` when it halts, or computes all that time.
        """
        if self._ended is None:
            self._vm.resume_if_paused()
        pattern = self.kernel.description.console.ready
        return self._run(timeout, None if pattern is None else pattern.search)

    def look(self) -> Ending | None:
        """Return how the guest has ended, None while it goes on; never wait."""
        self._ended = self._ended or self._watch.look()
        return self._ended

    def wait_for_line(self, pattern: str, timeout: float = BOOT_TIMEOUT) -> str:
        """Let the guest run until a console line matches a regular expression; return the line.

        Of a kernel that prints on the screen that is a row of the screen:
        :meth:`harness.machine.screen.Screen.wait_for_line`.
        Raise :class:`GuestEnded` when it ends before, or does not say it in time.
        """
        if self._ended is None:
            self._vm.resume_if_paused()
        return self._require(self._run(timeout, re.compile(pattern).search)).message

    def _wait_for_text(self, pattern: str, timeout: float) -> str:
        if self._ended is None:
            self._vm.resume_if_paused()
        found = self._run(timeout, re.compile(pattern).search, on_screen=False, unfinished=True)
        return self._require(found).message

    def _wait_for_row(self, pattern: str, timeout: float) -> str:
        if self._ended is None:
            self._vm.resume_if_paused()
        found = self._run(timeout, re.compile(pattern).search, on_screen=True)
        return self._require(found).message

    def stop_before(self, function: str, timeout: float = BOOT_TIMEOUT) -> None:
        """Run until just before ``function``'s first instruction, and stay paused there.

        Raise :class:`harness.image.errors.UnknownName` for a function that the kernel does not
        have, and :class:`GuestEnded` when the guest ends before.
        """
        self.stop_at((self.kernel.symbol(function),), timeout)

    def stop_at(self, addresses: Collection[int], timeout: float = BOOT_TIMEOUT) -> None:
        """Run until just before the instruction at one of the virtual addresses, and pause there.

        Raise :class:`GuestEnded` when the guest ends before.
        """
        if self._ended:
            raise GuestEnded(self._ended)
        with self._vm.stub() as stub:
            for address in addresses:
                stub.insert_breakpoint(address)
            stub.resume()
            ending = self._run(timeout, lambda line: None, breakpoints=True, on_screen=False)
            if self._vm.process.alive:
                # Also when the guest ended elsewhere: this process's next boot must pass here.
                stub.wait_for_stop()
                for address in addresses:
                    stub.remove_breakpoint(address)
        self._require(ending)

    def stub(self) -> AbstractContextManager[GdbStub]:
        """Attach to QEMU's GDB stub; the guest is paused, and stays as it is at the end."""
        return self._vm.stub()

    def save_core(self, path: Path, moment: str | None = None) -> None:
        """Write the guest to an ELF core that :func:`harness.machine.saved_guest.load_guest` reads.

        The core has all of guest RAM, by physical address, and the registers; RAM that was never
        touched takes no room. The rest stands in notes that other tools pass over. ``moment`` is
        that of the kernel's description; None finds out whether the guest was stopped at one, and
        is else ``ready``. Raise :class:`GuestEnded` when QEMU is gone, and ``OSError``.
        """
        with self.paused():
            save_core(path, self._vm, self.spec, self.information, moment or self.moment())

    def moment(self) -> str:
        """Return the moment of the description at which the paused guest is."""
        address = self._vm.registers().eip
        for moment, function in self.kernel.description.moments.items():
            if self.kernel.symbols.get(function) == address:
                return moment
        return "ready"

    def _run(
        self,
        timeout: float,
        match: Match | None,
        breakpoints: bool = False,
        on_screen: bool | None = None,
        unfinished: bool = False,
    ) -> Ending:
        """Follow the guest; once it has ended it stays so."""
        if self._ended:
            return self._ended
        ending = self._watch.run(timeout, match, breakpoints, on_screen, unfinished)
        if not ending.alive:
            self._ended = ending
        return ending

    def _require(self, ending: Ending) -> Ending:
        if ending.kind is not EndingKind.READY:
            raise GuestEnded(ending)
        return ending
