"""The bundled kernel's monitor, spoken to by tag."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from harness.image.description import Description
from harness.image.kernel_image import KernelImage
from harness.image.monitor_command import RESERVED, MonitorCommand
from harness.machine.ending import EndingKind
from harness.machine.errors import CommandFailed, GuestEnded, MonitorError
from harness.machine.monitor import KernelMonitor
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


def test_described_commands_are_functions(kernel: KernelImage, pool: Pool) -> None:
    guest = pool.boot(MachineSpec(kernel, MEMORY))
    assert guest.run_until_ready().kind is EndingKind.READY
    physical = guest.monitor.alloc(order=3, zone="dma")
    assert physical % (8 * 4096) == 0
    assert physical < 16 << 20
    answer = guest.monitor.free(physical=physical, order=3)
    assert answer.number("physical") == physical
    assert "alloc" in dir(guest.monitor)


def test_an_error_is_raised_with_its_code_and_words(kernel: KernelImage, pool: Pool) -> None:
    guest = pool.boot(MachineSpec(kernel, MEMORY))
    assert guest.run_until_ready().kind is EndingKind.READY
    with pytest.raises(CommandFailed, match="'alloc 11' was answered with an error") as caught:
        guest.monitor.alloc(order=11)
    assert caught.value.code == "memory"
    text = guest.monitor.command("alloc 11").text
    assert text == f"memory: {caught.value.words}"
    with pytest.raises(TypeError, match="order"):
        guest.monitor.alloc(ordr=3)
    with pytest.raises(AttributeError, match=r"named 'aloc'.* there are: alloc, free"):
        guest.monitor.aloc(order=3)


def test_an_answer_without_its_value_is_an_error(kernel: KernelImage, pool: Pool) -> None:
    monitor = kernel.description.monitor
    assert monitor is not None
    lying = MonitorCommand("frames", "frames", re.compile(r"allocator=(?P<value>\S+)"))
    description = replace(kernel.description, monitor=replace(monitor, commands=(lying,)))
    guest = pool.boot(MachineSpec(replace(kernel, description=description), MEMORY))
    assert guest.run_until_ready().kind is EndingKind.READY
    with pytest.raises(MonitorError, match=r"frames: no number .* in the answer 'allocator=buddy"):
        guest.monitor.frames()


def test_a_kernel_without_described_commands_has_none(kernel: KernelImage, pool: Pool) -> None:
    bare = replace(kernel, description=Description.none())
    guest = pool.boot(MachineSpec(bare, MEMORY))
    assert not hasattr(guest.monitor, "alloc")
    assert set(RESERVED) == {name for name in vars(KernelMonitor) if not name.startswith("_")}
