"""What the firmware paths share: run to the kernel's entry point and stop there."""

from __future__ import annotations

from harness.machine import boot_iso, boot_multiboot
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import MachineTimeout
from harness.machine.multiboot import BootInformation, read_information
from harness.machine.qemu import Extra
from harness.machine.registers import Registers
from harness.machine.rewrite import rewrite_command_line, rewrite_map
from harness.machine.rom import BOOTLOADER_MAGIC
from harness.machine.screen import screen_text
from harness.machine.spec import BootPath, MachineSpec
from harness.machine.vm import Vm
from harness.machine.watch import Watch
from harness.ram.gdb_stub import GdbStub, StubTimeout

FIRMWARE_TIMEOUT = 8.0
"""CPU seconds from power-on to the kernel's entry point; GRUB from a CD needs one."""
SHOWN_LINES = 6
"""Of the screen, from its end, in a message."""


def start_vm(spec: MachineSpec, extra: Extra | None = None) -> Vm:
    """Start QEMU, paused at the firmware's first instruction."""
    if spec.boot is BootPath.ISO:
        return boot_iso.start_vm(spec, extra)
    return boot_multiboot.start_vm(spec, extra)


def start(
    spec: MachineSpec, extra: Extra | None = None
) -> tuple[Vm, BootInformation | None, Ending | None]:
    """Start QEMU and return it paused before the kernel's first instruction.

    The kernel is given ``spec.map`` if there is one. When the entry point is not reached, there
    is no boot information but an ending that says why.
    """
    vm = start_vm(spec, extra)
    try:
        return (vm, *_lead_to_entry(vm, spec))
    except BaseException:
        vm.close()
        raise


def _lead_to_entry(vm: Vm, spec: MachineSpec) -> tuple[BootInformation | None, Ending | None]:
    """Run a new machine's firmware; give the kernel what ``spec`` says, as :func:`start` does."""
    ending, registers = run_to_entry(vm, spec)
    if registers is None:
        return None, ending
    rewrite_command_line(vm.ram, registers.ebx, spec)
    if spec.map is not None:
        rewrite_map(vm.ram, registers.ebx, spec)
    return read_information(vm.ram, registers.ebx), None


def run_to_entry(vm: Vm, spec: MachineSpec) -> tuple[Ending | None, Registers | None]:
    """Run a new machine to the kernel's entry point; return its registers there, or an ending."""
    watch = Watch(vm, spec.kernel)
    entry = spec.kernel.entry
    with vm.stub() as stub:
        # A breakpoint of the debugger's, not an instruction in memory: the loader has yet to
        # write there. Other code may run at that address before.
        stub.insert_breakpoint(entry)
        while True:
            stub.resume()
            ending = watch.run(
                FIRMWARE_TIMEOUT, lambda line: None, breakpoints=True, on_screen=False
            )
            if ending.kind is not EndingKind.READY:
                return _not_reached(vm, ending, entry), None
            _wait_for_stop(vm, stub, entry)
            registers = vm.registers()
            if registers.eip == entry and registers.eax == BOOTLOADER_MAGIC:
                stub.remove_breakpoint(entry)
                return None, registers
            stub.remove_breakpoint(entry)
            stub.step()
            stub.insert_breakpoint(entry)
            vm.settle()  # or the watch would take this stop for the next


def _wait_for_stop(vm: Vm, stub: GdbStub, entry: int) -> None:
    try:
        stub.wait_for_stop()
    except StubTimeout as error:
        raise MachineTimeout(
            f"waiting for the entry point 0x{entry:x}: {error}\n{screen_text(vm)}\n"
            f"{vm.console.tail()}".rstrip()
        ) from None


def _not_reached(vm: Vm, ending: Ending, entry: int) -> Ending:
    """Say that the kernel was not reached, with what the loader showed last."""
    if ending.kind is EndingKind.QEMU_DIED:
        return ending
    message = f"the entry point 0x{entry:x} was not reached; {ending.kind.value}: {ending.message}"
    if shown := screen_text(vm):
        lines = [" ".join(line.split()) for line in shown.splitlines()[-SHOWN_LINES:]]
        message += f"; the screen says: {' / '.join(lines)}"
    return Ending(
        EndingKind.WRONG_IMAGE, message, ending.console_tail, ending.backtrace, ending.registers
    )
