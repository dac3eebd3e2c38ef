"""What a machine must be, so that QEMU can build it and the kernel fits in."""

from __future__ import annotations

from collections.abc import Iterator

from harness.machine.errors import SpecError
from harness.machine.grub import quoted_word
from harness.machine.layout import extents, hidden
from harness.machine.spec import BootPath, MachineSpec, Module

GRANULE = 8192
"""QEMU rounds the size of RAM up to a multiple of this, which its file would not have then."""
LEAST = 1 << 20
MOST = 64 << 30
FIRMWARES = ("seabios", "qboot")
LEAST_FIRMWARE = 2 << 20
"""SeaBIOS finds no place for its tables in 1 MiB, and hangs."""

LONGEST_LINE = (128 << 10) - 1
"""Bytes of the kernel's arguments: Linux takes no longer argument of QEMU's (execve(2))."""
LONGEST_WORD = 8182
"""Bytes between blanks, quoted: GRUB 2.06 stops at longer tokens (``YYLMAX`` of its lexer)."""


def check_spec(spec: MachineSpec) -> None:
    """Raise :class:`SpecError`, with what would do, for a machine that cannot exist."""
    for complaint in _complaints(spec):
        chosen = f", map {spec.map.name}" if spec.map is not None and spec.map.name else ""
        raise SpecError(f"{_kib(spec.memory)}, {spec.boot.value} path{chosen}: {complaint}")


def _complaints(spec: MachineSpec) -> Iterator[str]:
    yield from _size(spec)
    yield from _segments(spec)
    if spec.firmware not in FIRMWARES:
        yield f"no firmware {spec.firmware!r}; there are {', '.join(FIRMWARES)}"
    yield from _command_line(spec)
    if not all(isinstance(module, Module) for module in spec.modules):
        yield "modules are Module(data, string) values, of harness.machine.spec"
    if not spec.cpu or not spec.cpu.isprintable():
        yield f"{spec.cpu!r} is no CPU model's name"


def _kib(size: int) -> str:
    return f"{size} bytes" if size % 1024 else f"{size // 1024} KiB"


def _size(spec: MachineSpec) -> Iterator[str]:
    least = LEAST if spec.boot is BootPath.DIRECT else LEAST_FIRMWARE
    if not least <= spec.memory <= MOST:
        yield (
            f"impossible size: {spec.memory} bytes of memory; this path takes "
            f"{least >> 20} MiB to {MOST >> 30} GiB"
        )
    if spec.memory % GRANULE:
        below = spec.memory // GRANULE * GRANULE
        yield (
            "impossible size: QEMU keeps the size of RAM as a multiple of "
            f"{_kib(GRANULE)}: take {_kib(below)} or {_kib(below + GRANULE)}"
        )


def _command_line(spec: MachineSpec) -> Iterator[str]:
    if not spec.append.isprintable():
        yield "the kernel's command line must be printable"
    length = len(spec.append.encode("utf-8", "surrogateescape"))
    if length > LONGEST_LINE:
        yield f"{length} bytes of command line, and {LONGEST_LINE} is the most"
    if spec.boot is not BootPath.ISO:
        return
    for word in spec.append.split(" "):
        quoted = len(quoted_word(word).encode())
        if quoted > LONGEST_WORD:
            yield (
                f"a word of {len(word.encode())} bytes in the command line; GRUB takes "
                f"{LONGEST_WORD} with its quoting, {quoted} were needed"
            )


def _segments(spec: MachineSpec) -> Iterator[str]:
    """See that there is RAM where the kernel is linked to."""
    ram = [range(extent.start, extent.end) for extent in extents(spec)]
    for segment in spec.kernel.segments:
        start, end = segment.physical, segment.physical + segment.memory_size
        if any(r.start <= start and end <= r.stop for r in ram):
            continue
        gap = hidden(spec)
        if start < gap.stop and end > gap.start and end <= spec.memory:
            yield (
                f"no RAM at 0x{gap.start:x}-0x{gap.stop - 1:x}, where the kernel's segment "
                f"at physical 0x{start:x}-0x{end - 1:x} needs it: display memory and ROM are "
                "there on this path; link it elsewhere or take the direct path without a display"
            )
        yield (
            f"too little memory: the kernel's segment at physical 0x{start:x} needs RAM up to "
            f"0x{end:x} ({-(-end // 1024)} KiB)"
        )
