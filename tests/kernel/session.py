"""A guest that is ready, and its monitor's commands as functions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.check.checked_guest import CheckedGuest
from harness.check.inspect import Inspection
from harness.image.kernel_image import KernelImage
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.guest import Guest
from harness.machine.monitor import Answer
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from tests.kernel.layouts import Layout, layout_of

PAGE = 4096
MIB = 1 << 20
MAX_ORDER = 10

Block = tuple[int, int]
"""Physical address and order."""


@dataclass(frozen=True)
class Zone:
    """A zone's counters as the monitor tells them."""

    managed: int
    free: int
    blocks: tuple[int, ...]
    """Free blocks from order 0 up."""


@dataclass
class Session:
    """A running guest whose kernel said that it is ready."""

    guest: Guest
    boot_log: str = field(default="", repr=False)

    @property
    def layout(self) -> Layout:
        """Where its kernel has what."""
        return layout_of(self.guest.kernel)

    def ok(self, command: str) -> Answer:
        """Give a command that must succeed."""
        return self.guest.monitor.require(command)

    def error(self, command: str) -> str:
        """Give a command that must fail without harm; return its error's code."""
        answer = self.guest.monitor.command(command)
        assert not answer.ok, f"{command!r} was answered with ok {answer.text}"
        return answer.text.partition(":")[0]

    def panic(self, command: str) -> Ending:
        """Give a command that must end the machine; return how it did."""
        try:
            answer = self.guest.monitor.command(command)
        except GuestEnded as ended:
            return ended.ending
        raise AssertionError(f"the kernel survived {command!r}: {answer.text}")

    def answers(self, commands: Iterable[str]) -> list[Answer]:
        """Give commands that may fail without harm."""
        return [self.guest.monitor.command(command) for command in commands]

    def alloc(self, order: int, *flags: str) -> int:
        """Allocate 2^order frames and return their physical address."""
        return self.ok(" ".join(["alloc", str(order), *flags])).number("physical")

    def free(self, physical: int, order: int) -> None:
        """Free a block."""
        self.ok(f"free {physical:#x} {order}")

    def drain(self, order: int, *flags: str) -> list[int]:
        """Allocate blocks of one order until there are none; return their addresses."""
        command = " ".join(["alloc", str(order), *flags])
        blocks: list[int] = []
        while (answer := self.guest.monitor.command(command)).ok:
            blocks.append(answer.number("physical"))
        assert answer.text.startswith("memory:")
        return blocks

    def exhaust(self, *flags: str) -> list[Block]:
        """Allocate everything, the largest blocks first."""
        orders = range(MAX_ORDER, -1, -1)
        return [(block, order) for order in orders for block in self.drain(order, *flags)]

    def free_all(self, blocks: Iterable[Block]) -> None:
        """Free blocks in the order given."""
        for physical, order in blocks:
            self.free(physical, order)

    def kmalloc(self, size: int) -> int:
        """Allocate a block and return its virtual address."""
        return self.ok(f"kmalloc {size}").number("virtual")

    def zone(self, name: str = "all") -> Zone:
        """Return a zone's counters."""
        answer = self.ok(f"zone {name}")
        blocks = tuple(int(count) for count in answer.values["blocks"].split("/"))
        return Zone(answer.number("managed"), answer.number("free"), blocks)

    def touch(self, virtual: int, access: str = "read", value: int | None = None) -> Touch:
        """Access memory with the guest's CPU and return what it did."""
        more = "" if value is None else f" {value:#x}"
        answer = self.ok(f"touch {virtual:#x} {access}{more}")
        if "fault" not in answer.values:
            return Touch(value=answer.number("value"))
        return Touch(*(answer.number(name) for name in ("fault", "error", "address")))

    def inspect(self) -> Inspection:
        """Decode and check."""
        return CheckedGuest(self.guest).inspect()

    def assert_sound(self) -> Inspection:
        """See that the whole state is right."""
        inspection = self.inspect()
        assert inspection.violations == ()
        return inspection


@dataclass(frozen=True)
class Touch:
    """What the CPU did: a value, or a fault with its vector, error code and address (CR2)."""

    vector: int | None = None
    error: int | None = None
    address: int | None = None
    value: int | None = None


def page_fault(address: int, *, present: bool = False, write: bool = False) -> Touch:
    """Return a supervisor's page fault: error code of Intel SDM volume 3, figure 4-12."""
    return Touch(vector=14, error=int(present) | int(write) << 1, address=address)


@contextlib.contextmanager
def booted(
    kernel: KernelImage, pool: Pool, memory: int = 16 * MIB, **spec: Any
) -> Iterator[Session]:
    """Boot on a warm machine until the kernel is ready."""
    with pool.boot(MachineSpec(kernel, memory, **spec)) as guest:
        ending = guest.run_until_ready()
        assert ending.kind is EndingKind.READY, str(ending)
        yield Session(guest, guest.console.log.text())
