"""RAM is at power-on what its fill says, also after boots that wrote everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.machine.ending import EndingKind
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.spec import Fill, FillKind, MachineSpec
from tests.machine import kernels

MEMORY = 80 << 20
HIGH = 0x4800000
"""72 MiB: beyond what is filled ahead, and far from every border."""
# Writes one word each into the middle of 3 MiB and of 72 MiB, and reads one at 5 MiB.
WRITER = "movl $1, 0x300800\nmovl $1, 0x4800800\nmovl 0x500800, %eax\n" + kernels.READY
# Says the byte at 3 MiB + 2 KiB and the byte at 72 MiB + 2 KiB: 'A' + its high and low digit.
READER = """
.macro tell address
    movb \\address, %al
    mov %al, %ah
    shr $4, %al
    add $0x41, %al
    mov $0x3F8, %dx
    outb %al, %dx
    mov %ah, %al
    and $15, %al
    add $0x41, %al
    outb %al, %dx
.endm
tell 0x300800
tell 0x4800800
mov $10, %al
outb %al, %dx
"""


def boot(machine: Machine) -> Guest:
    guest = machine.boot()
    assert guest.run_until_ready().kind is EndingKind.READY
    guest.pause()
    return guest


def used(guest: Guest) -> list[range]:
    """Return what the loader wrote, page-rounded, and the ROM's mailbox."""
    pages = [guest.kernel.image_range(), range(0x500, 0x508)]
    pages += [range(p.start, p.start + p.length) for p in guest.placements]
    return [range(p.start // 4096 * 4096, -(-p.stop // 4096) * 4096) for p in pages]


def unlike(guest: Guest, value: int, end: int) -> set[int]:
    """Return the pages below ``end`` that hold another byte and that no loader used."""
    ram = guest.ram.array(0, np.uint8, end).reshape(-1, 4096)
    pages = {int(page) * 4096 for page in np.flatnonzero((ram != value).any(axis=1))}
    return {page for page in pages if not any(page in part for part in used(guest))}


@pytest.mark.parametrize(("kind", "value"), [(FillKind.ZERO, 0), (FillKind.POISON, 0xA5)])
def test_every_boot_starts_with_the_fill(tmp_path: Path, kind: FillKind, value: int) -> None:
    kernel = kernels.assemble(tmp_path, WRITER)
    with Machine(MachineSpec(kernel, MEMORY, fill=Fill(kind))) as machine:
        guest = boot(machine)
        assert unlike(guest, value, 64 << 20) == {0x300000}
        for _ in range(3):
            guest.ram.write(0x2000000, b"scribbled by the harness")
            guest = machine.boot()
            assert unlike(guest, value, 64 << 20) == set()
            # Beyond 64 MiB: poisoned where a boot has been.
            assert guest.ram.read(HIGH + 0x800, 4) == bytes([value]) * 4
            guest = boot(machine)
            assert guest.ram.read(HIGH + 0x800, 4) == b"\1\0\0\0"


def test_random_ram_is_the_same_for_a_seed(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, WRITER)
    seen = []
    for seed in (7, 7, 8):
        with Machine(MachineSpec(kernel, MEMORY, fill=Fill(FillKind.RANDOM, seed))) as machine:
            first = machine.boot().ram.read(0x300000, 8 << 20)
            boot(machine)
            assert machine.boot().ram.read(0x300000, 8 << 20) == first
            seen.append(first)
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    # Not merely different: every value of a byte is as frequent as it should be (32768 each).
    counts = np.bincount(np.frombuffer(seen[0], np.uint8), minlength=256)
    assert counts.min() > 31000
    assert counts.max() < 34500


def test_the_kernel_itself_reads_the_poison(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, READER + kernels.READY)
    fill = Fill(FillKind.POISON, everywhere=True)
    with Machine(MachineSpec(kernel, MEMORY, fill=fill)) as machine:
        guest = boot(machine)
        assert guest.console.log.text() == "kernel: first\nKFKF\nready\n"


def test_a_big_guest_costs_only_what_is_filled(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, 3 << 30)) as machine:
        boot(machine)
        assert machine.resident_bytes() < 128 << 20


def test_fill_can_change_from_boot_to_boot(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, WRITER)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        boot(machine)
        guest = machine.boot(MachineSpec(kernel, MEMORY, fill=Fill(FillKind.ZERO)))
        assert unlike(guest, 0, 64 << 20) == set()
        guest = machine.boot(MachineSpec(kernel, MEMORY))
        assert unlike(guest, 0xA5, 64 << 20) == set()
