"""How much a reset saves over a new machine."""

from __future__ import annotations

from dataclasses import replace

from harness.bench.measurement import Measurement, medians_side_by_side
from harness.image.kernel_image import KernelImage
from harness.machine.machine import Machine
from harness.machine.spec import BootPath, Fill, FillKind, MachineSpec

MEMORY = 64 << 20
_RESETS = 40
_ROUNDS = 5


def measure(kernel: KernelImage) -> list[Measurement]:
    """Time a boot to the kernel's first line: a reset against new firmware processes.

    All three start with zeroed RAM, as QEMU's own loader leaves it.
    """
    first = kernel.description.console.first
    assert first is not None
    direct = MachineSpec(kernel, MEMORY, fill=Fill(FillKind.ZERO))
    multiboot = replace(direct, boot=BootPath.MULTIBOOT)
    iso = replace(direct, boot=BootPath.ISO)

    def boot(machine: Machine) -> None:
        guest = machine.boot()
        guest.wait_for_line(first.pattern)

    def boot_new(spec: MachineSpec) -> None:
        with Machine(spec) as machine:
            boot(machine)

    with Machine(direct) as warm:
        boot(warm)
        boot_new(iso)  # makes the CD image, which is then kept
        seconds = medians_side_by_side(
            {
                "direct reset": (lambda: boot(warm), _RESETS),
                "new direct": (lambda: boot_new(direct), 1),
                "new multiboot": (lambda: boot_new(multiboot), 1),
                "new iso": (lambda: boot_new(iso), 1),
            },
            _ROUNDS,
        )
    details = {f"{name} ms": value * 1000 for name, value in seconds.items()}
    reset = seconds["direct reset"]
    return [
        Measurement(
            "reset_speedup_vs_multiboot", seconds["new multiboot"] / reset, "x", 25, True, details
        ),
        Measurement("reset_speedup_vs_iso", seconds["new iso"] / reset, "x", 150, True, details),
    ]
