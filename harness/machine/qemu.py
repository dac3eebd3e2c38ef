"""QEMU's command line for a machine."""

from __future__ import annotations

from dataclasses import dataclass

from harness.machine.layout import MAX_RAM_BELOW_4G, one_piece
from harness.machine.spec import MachineSpec

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
ACTIONS = "reboot=shutdown,shutdown=pause,panic=pause"
"""What ends a guest leaves it paused, with registers and RAM as they were."""

DISPLAY = ("-device", "VGA")
"""Programmed by nobody it is no use: firmware puts it into text mode, or the direct path's ROM."""

RAM_FILE = "{ram}"


@dataclass(frozen=True)
class Descriptors:
    """Open files that QEMU inherits."""

    ram: int
    qmp: int
    serial: int
    log: int


@dataclass(frozen=True)
class Extra:
    """Arguments beyond a machine's own, and the open files that they name."""

    arguments: tuple[str, ...] = ()
    """``RAM_FILE`` in one stands for the path of the file behind guest RAM."""
    descriptors: tuple[int, ...] = ()

    def given(self, ram: int) -> list[str]:
        """Return the arguments for a machine whose RAM is the file ``ram``."""
        return [argument.replace(RAM_FILE, path_of(ram)) for argument in self.arguments]


def path_of(descriptor: int) -> str:
    """Return the name under which QEMU can open a file that it inherits."""
    return f"/proc/self/fd/{descriptor}"


def arguments(spec: MachineSpec, descriptors: Descriptors) -> list[str]:
    """Return QEMU's arguments for everything but how the kernel gets into memory.

    All connections are socket pairs: nothing listens anywhere and nothing is left behind.
    """
    whole = f",max-ram-below-4g={MAX_RAM_BELOW_4G}" if one_piece(spec) else ""
    return [
        *("-nodefaults", "-nic", "none", "-display", "none", "-S"),
        *("-accel", "tcg", "-cpu", spec.cpu),
        *("-object", f"memory-backend-file,id=ram,size={spec.memory},share=on,"
          f"mem-path={path_of(descriptors.ram)}"),
        *("-machine", f"pc,memory-backend=ram{whole}", "-m", f"{spec.memory}B"),
        *("-device", "pvpanic"),
        *("-action", ACTIONS),
        *("-sandbox", SANDBOX),
        *("-chardev", f"socket,id=qmp,fd={descriptors.qmp}"),
        *("-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=console,fd={descriptors.serial}"),
        *("-serial", "chardev:console"),
        # Only its log tells a triple fault from a reset that the guest asked for.
        *("-d", "cpu_reset", "-D", path_of(descriptors.log)),
        *(("-icount", "shift=0,sleep=off") if spec.icount else ()),
    ]  # fmt: skip
