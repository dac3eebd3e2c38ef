"""How long a command to gdb takes, here and the way that pygdbmi itself offers."""

from __future__ import annotations

from pygdbmi.gdbcontroller import GdbController

from harness.bench.measurement import Measurement, medians_side_by_side
from harness.debug.guest import DebuggedGuest
from harness.image.kernel_image import KernelImage
from harness.machine.gdb_socket import gdb_socket
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec

MEMORY = 16 << 20
_COMMAND = "-data-evaluate-expression $eip"
_TIMES, _LIBRARY_TIMES = 50, 2
_ROUNDS = 5


def measure(kernel: KernelImage) -> list[Measurement]:
    """Time a command and its answer, each way on a paused guest of its own."""
    spec = MachineSpec(kernel, MEMORY)
    with (
        Machine(spec) as one,
        Machine(spec) as other,
        DebuggedGuest(one.boot()) as guest,
        gdb_socket(other.boot()) as socket,
    ):
        library = GdbController(["gdb", "--nx", "--quiet", "--interpreter=mi3"])
        try:
            library.write(f"-target-select remote {socket}")
            debugger = guest.debugger
            seconds = medians_side_by_side(
                {
                    "by token": (lambda: debugger.command(_COMMAND), _TIMES),
                    "pygdbmi": (lambda: library.write(_COMMAND), _LIBRARY_TIMES),
                    "evaluate": (lambda: debugger.evaluate("$eip"), _TIMES),
                },
                _ROUNDS,
            )
        finally:
            library.exit()
    details = {f"{name} ms": value * 1000 for name, value in seconds.items()}
    return [Measurement("gdb_roundtrip_ms", seconds["by token"] * 1000, "ms", 2, False, details)]
