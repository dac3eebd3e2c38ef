"""The bundled kernel's monitor, spoken to by tag."""

from __future__ import annotations

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.errors import GuestEnded, MonitorError
from harness.machine.pool import Pool
from harness.machine.spec import BootPath, MachineSpec

MEMORY = 32 << 20


@pytest.mark.parametrize("path", [BootPath.DIRECT, BootPath.MULTIBOOT])
def test_commands_are_answered_by_tag(kernel: KernelImage, pool: Pool, path: BootPath) -> None:
    guest = pool.boot(MachineSpec(kernel, MEMORY, boot=path))
    assert guest.run_until_ready().kind is EndingKind.READY
    for _ in range(20):
        assert "alloc" in guest.monitor.require("help").values["commands"]
    answer = guest.monitor.command("no-such-command")
    assert not answer.ok
    with pytest.raises(MonitorError, match="no-such-command"):
        guest.monitor.require("no-such-command")
    with pytest.raises(MonitorError, match="one printable line"):
        guest.monitor.command("help\nhelp")


@pytest.mark.parametrize(
    ("crash", "kind"),
    [
        ("panic", EndingKind.PANIC),
        ("page-fault", EndingKind.PANIC),
        ("triple", EndingKind.TRIPLE_FAULT),
        ("reset", EndingKind.RESET),
        ("hang", EndingKind.HANG),
    ],
)
def test_a_crash_in_a_command_is_its_ending(
    kernel: KernelImage, pool: Pool, crash: str, kind: EndingKind
) -> None:
    guest = pool.boot(MachineSpec(kernel, MEMORY))
    assert guest.run_until_ready().kind is EndingKind.READY
    with pytest.raises(GuestEnded) as caught:
        guest.monitor.command(f"crash {crash}", timeout=0.5)
    ending = caught.value.ending
    assert ending.kind is kind
    assert len(ending.backtrace) > 2
    assert all(frame.function and frame.line for frame in ending.backtrace), ending
