"""Follow a running guest until it does what was wanted, or ends."""

from __future__ import annotations

import select
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from harness.image.kernel_image import KernelImage
from harness.machine.backtrace import PAGE, Frame, backtrace, frame_at
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestStopped, QemuFailed
from harness.machine.registers import Registers
from harness.machine.screen import shown_rows
from harness.machine.vm import PANICKED, Vm

WALL_FACTOR = 10
"""The wall clock may take so many times the CPU time that was granted."""
INTERVAL = 0.25
"""Seconds between looks at a guest that says nothing."""
SCREEN_INTERVAL = 0.01
"""Seconds between looks at a screen on which something is waited for: it tells nobody."""
REST_OF_LINE = 100e-6
"""Seconds for which the console is left to fill once a line has begun; QEMU's news still count."""
IDLE = 0.02
"""CPU seconds an interval, below which a guest is not computing."""
REPORT_TIMEOUT = 2.0
"""Seconds that a panic's report may take."""
SAMPLES = 20
"""Looks at where a guest hangs."""

Match = Callable[[str], object]


@dataclass
class Clock:
    """CPU and wall-clock time of one run."""

    vm: Vm
    timeout: float

    def __post_init__(self) -> None:
        self._cpu = self._last_cpu = self.vm.process.cpu_seconds()
        self._wall = self._last_look = time.monotonic()

    def exhausted(self) -> str | None:
        """Say what has run out."""
        cpu = self.vm.process.cpu_seconds() - self._cpu
        wall = time.monotonic() - self._wall
        if cpu > self.timeout:
            return f"{self.timeout:g} s of CPU time"
        if wall > self.timeout * WALL_FACTOR:
            return f"{wall:.0f} s, of which it computed {cpu:.1f} s"
        return None

    def due(self) -> bool:
        """Return whether it is time to look at a guest that says nothing."""
        now = time.monotonic()
        due = now - self._last_look >= INTERVAL
        if due:
            self._last_look = now
        return due

    def idle(self) -> bool:
        """Return whether nothing was computed since the last call."""
        now = self.vm.process.cpu_seconds()
        idle, self._last_cpu = now - self._last_cpu < IDLE, now
        return idle


class Watch:
    """Tells how a guest ends; knows its kernel's words from the description."""

    def __init__(self, vm: Vm, kernel: KernelImage) -> None:
        self._vm = vm
        self._kernel = kernel
        self._console = kernel.description.console
        self._prints_on_screen = self._console.device == "screen"
        self._first_seen = False
        self._report: tuple[EndingKind, str] | None = None
        self._report_deadline = 0.0

    def run(
        self,
        timeout: float,
        match: Match | None,
        breakpoints: bool = False,
        on_screen: bool | None = None,
    ) -> Ending:
        """Follow the guest until a line matches (``READY``) or it ends.

        Without ``match`` a guest that idles or lasts is ready as well; with ``breakpoints`` so is
        one that stops. ``on_screen`` says whether to look for the line on the screen or on the
        console; None: where the kernel prints.
        """
        clock = Clock(self._vm, timeout)
        on_screen = self._prints_on_screen if on_screen is None else on_screen
        while True:
            try:
                if line := self._read(match, on_screen):
                    return Ending(EndingKind.READY, line, self._tail())
                if ending := self._look(clock, match, breakpoints):
                    return ending
                self.wait(SCREEN_INTERVAL if on_screen else INTERVAL)
            except QemuFailed:
                if not self.gone():
                    raise

    def look(self) -> Ending | None:
        """Return how the guest has ended, None while it goes on; do not wait."""
        try:
            return self._looked()
        except QemuFailed:
            if not self.gone():
                raise
            return self.dead()

    def gone(self) -> bool:
        """Return whether QEMU has ended; its connections go a moment before it does."""
        select.select([self._vm.process.exit_descriptor], [], [], INTERVAL)
        return not self._vm.process.alive

    def _looked(self) -> Ending | None:
        if self._vm.qmp.fileno() in {descriptor for descriptor, _ in self._vm.poll.poll(0)}:
            self._vm.qmp.read()
        self._read_console(None)
        if dead := self.dead():
            return dead
        self._read(None, self._prints_on_screen)
        return self._read_end()

    def dead(self) -> Ending | None:
        """Return how QEMU itself ended, None while it runs."""
        process = self._vm.process
        if process.alive:
            return None
        return Ending(EndingKind.QEMU_DIED, process.how_it_ended(), self._vm.console.tail())

    def wait(self, seconds: float) -> None:
        """Wait for a console line, for news of QEMU's or its end, at most so long."""
        console, qmp = self._vm.console, self._vm.qmp
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in self._vm.poll.poll(left * 1000)}
            if ready != {console.fileno()}:
                if qmp.fileno() in ready:
                    qmp.read()
                return
            console.receive()
            if console.has_line or console.hung_up:
                return
            # A line comes byte by byte: waking up for each would take the guest's core from it.
            select.select([qmp.fileno(), self._vm.process.exit_descriptor], [], [], REST_OF_LINE)

    def _look(self, clock: Clock, match: Match | None, breakpoints: bool) -> Ending | None:
        """Return how the guest ended, None while it goes on."""
        if ending := self.dead() or self._read_end():
            return ending
        if stopped := self._stopped(breakpoints):
            return stopped
        return self._judge_silence(clock, talkative=match is not None)

    def _stopped(self, breakpoints: bool) -> Ending | None:
        """Return ``READY`` when a debugger has stopped the guest; raise unless that is wanted."""
        why = self._vm.stopped()
        if why and not breakpoints:
            raise GuestStopped(f"{why}, while something was waited for")
        if why or (breakpoints and self._vm.moves[-1:] == ["STOP"]):
            return Ending(EndingKind.READY, why or "stopped at a breakpoint")
        return None

    def _read(self, match: Match | None, on_screen: bool) -> str | None:
        """Read what there is to read; return the line that is waited for."""
        line = self._read_console(None if on_screen else match)
        return self._read_screen(match) if on_screen else line

    def _read_screen(self, match: Match | None) -> str | None:
        """Return the row that is waited for; the kernel's own words count where it prints here."""
        rows = shown_rows(self._vm)
        if self._prints_on_screen:
            for row in rows:
                self._note(row)
        if match is None or self._report is not None:
            return None
        return next((row for row in rows if match(row)), None)

    def _tail(self) -> str:
        """Return the last lines that the kernel has printed."""
        if not self._prints_on_screen:
            return self._vm.console.tail()
        return "\n".join(shown_rows(self._vm)).rstrip("\n")

    def _read_console(self, match: Match | None) -> str | None:
        """Read what has come; return the line that is waited for."""
        for line in self._vm.console.lines():
            if match is not None and self._report is None and match(line):
                return line
            self._note(line)
        return None

    def _note(self, line: str) -> None:
        """See whether the kernel begins or ends a panic's report."""
        console = self._console
        if console.first and console.first.search(line):
            self._first_seen = True
        if self._report is None:
            self._begin_report(line)
        elif console.end and console.end.search(line):
            self._report_deadline = 0.0

    def _begin_report(self, line: str) -> None:
        console = self._console
        # A refusal may be a special form of a panic: it comes first.
        patterns = ((EndingKind.REFUSED, console.refused), (EndingKind.PANIC, console.panic))
        for kind, pattern in patterns:
            if pattern and (found := pattern.search(line)):
                self._report = kind, found.groupdict().get("message") or line
                self._report_deadline = time.monotonic() + (REPORT_TIMEOUT if console.end else 0.0)
                return

    def _read_end(self) -> Ending | None:
        """Return how the guest ended, when QEMU or a finished report tells."""
        self._vm.read_news()
        if self._vm.end and self._vm.end != PANICKED:
            return self._shutdown(self._vm.end)
        if self._vm.end or (self._report and time.monotonic() >= self._report_deadline):
            return self._panic()
        return None

    def _panic(self) -> Ending:
        self._read(None, self._prints_on_screen)
        kind, message = self._report or (EndingKind.PANIC, "the kernel notified QEMU (pvpanic)")
        return self._ending(kind, message)

    def _shutdown(self, reason: str) -> Ending:
        self._read(None, self._prints_on_screen)
        if reason != "guest-reset":
            return self._ending(EndingKind.POWER_OFF, "the guest switched the machine off")
        if self._vm.triple_faulted():
            message = "a fault while a double fault was being delivered"
            return self._ending(EndingKind.TRIPLE_FAULT, message)
        return self._ending(EndingKind.RESET, "the guest reset the machine")

    def _judge_silence(self, clock: Clock, talkative: bool) -> Ending | None:
        """Return a hang, or for a kernel that need not say anything that it is ready."""
        if not clock.due():
            return None
        if exhausted := clock.exhausted():
            if talkative or self._strayed(self._vm.registers()):
                return self._hang(exhausted)
            return Ending(EndingKind.RUNNING, f"still computing: {exhausted}")
        if not clock.idle():
            return None
        registers = self._vm.registers()
        self._vm.read_news()
        if not registers.halted or self._vm.end:
            return None
        if self._report:
            return self._panic()
        if not talkative:
            return Ending(EndingKind.RUNNING, "halted until an interrupt comes")
        if registers.interrupts:
            return None
        where = self._place(registers)
        return self._ending(EndingKind.HANG, f"halted with interrupts off in {where}")

    def _hang(self, exhausted: str) -> Ending:
        places = Counter(self._sample() for _ in range(SAMPLES))
        place, times = places.most_common(1)[0]
        self._vm.pause()
        registers = self._vm.registers()
        if not self._first_seen and self._strayed(registers):
            message = f"it runs at 0x{registers.eip:x}, outside the kernel"
            if self._console.first:
                message = f"it never said its first line: {message}"
            return self._ending(EndingKind.WRONG_IMAGE, message)
        message = f"not done after {exhausted}; in {place} in {times} of {SAMPLES} looks"
        return self._ending(EndingKind.HANG, message)

    def _sample(self) -> str:
        """Let the guest run for a moment and return where it is then."""
        self._vm.resume()
        self._vm.pause()
        return self._place(self._vm.registers())

    def _place(self, registers: Registers) -> str:
        frame = frame_at(self._kernel, registers.eip)
        line = f" ({frame.file}:{frame.line})" if frame.file else ""
        return f"{frame.function or hex(registers.eip)}{line}"

    def _strayed(self, registers: Registers) -> bool:
        """Return whether the CPU is outside the kernel's executable segments."""
        return not any(
            0 <= registers.eip - start < segment.memory_size
            for segment in self._kernel.segments
            if segment.executable
            for start in (segment.virtual, segment.physical)
        )

    def _ending(self, kind: EndingKind, message: str) -> Ending:
        """Pause the guest and describe where it is."""
        self._vm.pause()
        self._read(None, self._prints_on_screen)
        registers = self._vm.registers()
        frames = self.backtrace(registers)
        return Ending(kind, message, self._tail(), frames, registers)

    def backtrace(self, registers: Registers) -> tuple[Frame, ...]:
        """Return where a paused guest is, innermost first."""
        translate = _cached(registers, self._vm.translate)
        return backtrace(self._kernel, registers, self._vm.ram, translate)


def _cached(
    registers: Registers, translate: Callable[[int], int | None]
) -> Callable[[int], int | None]:
    """Return a translation of addresses that asks only once for each page."""
    pages: dict[int, int | None] = {}

    def look_up(virtual: int) -> int | None:
        if not registers.paging:
            return virtual
        page = virtual // PAGE
        if page not in pages:
            pages[page] = translate(page * PAGE)
        base = pages[page]
        return None if base is None else base + virtual % PAGE

    return look_up
