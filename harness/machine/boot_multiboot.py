"""QEMU's own Multiboot loader (``-kernel``), under SeaBIOS or qboot."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from harness.machine.boot_direct import borders, given_map
from harness.machine.errors import ToolMissing
from harness.machine.guest_memory import GuestMemory
from harness.machine.qemu import DISPLAY, Extra, path_of
from harness.machine.spec import MachineSpec
from harness.machine.vm import Vm

QBOOT = Path("/usr/share/qemu/qboot.rom")


def start_vm(spec: MachineSpec, extra: Extra | None = None) -> Vm:
    """Start QEMU, paused at the firmware's first instruction."""
    extra = extra or Extra()
    with ExitStack() as stack:
        arguments = [*DISPLAY, "-kernel", str(spec.kernel.path.resolve())]
        if spec.append:
            arguments += ["-append", spec.append]
        if spec.firmware == "qboot":
            arguments += ["-bios", str(_qboot())]
        modules = [_file(module.data, stack) for module in spec.modules]
        if modules:
            arguments += ["-initrd", _module_list(spec, modules)]
        memory = GuestMemory(spec.memory)
        memory.renew(spec.fill, borders(spec, given_map(spec)))
        arguments += extra.given(memory.descriptor)
        return Vm(spec, memory, arguments, [*modules, *extra.descriptors])


def _qboot() -> Path:
    if not QBOOT.exists():
        raise ToolMissing(f"{QBOOT} is missing: apt-get install qemu-system-data")
    return QBOOT


def _file(data: bytes, stack: ExitStack) -> int:
    """Return a file with ``data`` that exists as long as somebody has it open."""
    descriptor = os.memfd_create("module")
    stack.callback(os.close, descriptor)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def _module_list(spec: MachineSpec, descriptors: list[int]) -> str:
    """Return ``FILE STRING,FILE STRING…``; a comma within is doubled (QEMU manual, -initrd)."""
    items = [
        f"{path_of(descriptor)} {module.string}".rstrip().replace(",", ",,")
        for descriptor, module in zip(descriptors, spec.modules, strict=True)
    ]
    return ",".join(items)
