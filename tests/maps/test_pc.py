"""Where a PC has its RAM, against the machine that QEMU builds."""

from __future__ import annotations

import re
import subprocess

import pytest

from harness.maps.pc import ram_ranges

MIB = 1 << 20
FLAT_RAM = re.compile(
    r"^ +([0-9a-f]{16})-([0-9a-f]{16}) \(prio \S+, ram\): pc\.ram\b", re.MULTILINE
)


def qemu_ram(memory: int) -> set[int]:
    """Return the frames (pfn) that hold RAM above 1 MiB, from QEMU's own flat view."""
    done = subprocess.run(
        [
            *("qemu-system-i386", "-machine", "pc", "-m", f"{memory // MIB}M", "-S"),
            *("-nodefaults", "-display", "none", "-monitor", "stdio"),
        ],
        input="info mtree -f\nquit\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    frames: set[int] = set()
    for first, last in FLAT_RAM.findall(done.stdout):
        frames.update(range(max(int(first, 16), MIB) >> 12, (int(last, 16) + 1) >> 12))
    return frames


@pytest.mark.parametrize("mebibytes", [2, 64, 3583, 3584, 5120])
def test_ram_ranges_are_those_of_qemus_pc(mebibytes: int) -> None:
    ours = {
        frame
        for ram in ram_ranges(mebibytes * MIB)
        for frame in range(max(ram.start, MIB) >> 12, ram.stop >> 12)
    }
    assert ours == qemu_ram(mebibytes * MIB)


@pytest.mark.parametrize("memory", [0, -1])
def test_refuses_no_ram(memory: int) -> None:
    with pytest.raises(ValueError, match="one byte or more"):
        ram_ranges(memory)
