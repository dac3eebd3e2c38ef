"""What a machine must be, so that QEMU can build it and the kernel fits in."""

from __future__ import annotations

from harness.machine.errors import SpecError
from harness.machine.layout import extents
from harness.machine.spec import BootPath, MachineSpec

GRANULE = 8192
"""QEMU rounds the size of RAM up to a multiple of this, which its file would not have then."""
LEAST = 1 << 20
MOST = 64 << 30
FIRMWARES = ("seabios", "qboot")
LEAST_FIRMWARE = 2 << 20
"""SeaBIOS finds no place for its tables in 1 MiB, and hangs."""


def check_spec(spec: MachineSpec) -> None:
    """Raise :class:`SpecError`, with what would do, for a machine that cannot exist."""
    _check_size(spec)
    _check_segments(spec)
    if spec.firmware not in FIRMWARES:
        raise SpecError(f"no firmware {spec.firmware!r}; there are {', '.join(FIRMWARES)}")
    if not spec.append.isprintable():
        raise SpecError("the kernel's command line must be printable")
    if not spec.cpu or not spec.cpu.isprintable():
        raise SpecError(f"{spec.cpu!r} is no CPU model's name")


def _check_size(spec: MachineSpec) -> None:
    least = LEAST if spec.boot is BootPath.DIRECT else LEAST_FIRMWARE
    if not least <= spec.memory <= MOST:
        raise SpecError(
            f"impossible size: {spec.memory} bytes of memory; the {spec.boot.value} path takes "
            f"{least >> 20} MiB to {MOST >> 30} GiB"
        )
    if spec.memory % GRANULE:
        raise SpecError(f"impossible size: {spec.memory} bytes are no multiple of {GRANULE}")


def _check_segments(spec: MachineSpec) -> None:
    """See that there is RAM where the kernel is linked to."""
    ram = [range(extent.start, extent.end) for extent in extents(spec)]
    for segment in spec.kernel.segments:
        end = segment.physical + segment.memory_size
        if not any(r.start <= segment.physical and end <= r.stop for r in ram):
            raise SpecError(
                f"too little memory: the kernel's segment at physical 0x{segment.physical:x} "
                f"needs RAM up to 0x{end:x} ({-(-end // 1024)} KiB), the machine has "
                f"{spec.memory // 1024} KiB"
            )
