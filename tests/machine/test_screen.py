"""Kernels that print on the VGA text screen only, on each boot path."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.image.description import Console
from harness.image.kernel_image import KernelImage
from harness.machine import rom
from harness.machine.ending import EndingKind
from harness.machine.errors import GuestEnded, SpecError
from harness.machine.machine import Machine
from harness.machine.pool import Pool
from harness.machine.screen import NoScreen
from harness.machine.spec import BootPath, MachineSpec
from tests.machine import kernels

MEMORY = 16 << 20
PATHS = list(BootPath)
ON_SCREEN = replace(
    kernels.DESCRIPTION,
    console=replace(kernels.DESCRIPTION.console, device="screen", first=re.compile("^VGA kernel")),
)

SHOW = """
.macro show row, text, attribute=0x07
    mov $0xB8000 + \\row * 160, %edi
    mov $\\text, %esi
    mov $\\attribute, %ah
1:  lodsb
    test %al, %al
    jz 2f
    stosw
    jmp 1b
2:
.endm
.macro crt register, value
    mov $0x3D4, %dx
    mov $\\register | (\\value) << 8, %ax
    out %ax, %dx
.endm
"""
TEXTS = """
hello: .asciz "VGA kernel"
ready_row: .asciz "ready"
panic_row: .asciz "panic: no frames left"
end_row: .asciz "panic: end"
box: .byte 0xC9, 0xCD, 0xBB, 0x01, 0
"""
# Cursor at row 3, column 7: cell 247.
PRINT = SHOW + "show 0, hello, 0x1E\nshow 1, box\ncrt 14, 0\ncrt 15, 247\n"
IDLE = "1: hlt\njmp 1b\n" + TEXTS


def _kernel(folder: Path, work: str) -> KernelImage:
    return kernels.assemble(folder, work, ON_SCREEN)


@pytest.mark.parametrize("path", PATHS)
def test_text_attributes_and_cursor_are_read_on_every_path(tmp_path: Path, path: BootPath) -> None:
    kernel = _kernel(tmp_path, PRINT + "show 2, ready_row\n" + IDLE)
    with Machine(MachineSpec(kernel, MEMORY, boot=path)) as machine, machine.boot() as guest:
        ending = guest.run_until_ready()
        assert ending.kind is EndingKind.READY, str(ending)
        assert ending.message.startswith("ready")
        shown = guest.screen.look()
        assert shown.rows[0].startswith("VGA kernel")
        assert shown.rows[1].startswith("╔═╗☺")
        assert shown.attributes[0, :10].tolist() == [0x1E] * 10
        assert shown.attributes[1, 0] == 0x07
        assert shown.cursor == (3, 7)
        assert "VGA kernel" in ending.console_tail
        assert "running" in guest.qemu("info status")


def test_on_the_direct_path_the_screen_is_blank_at_first_also_the_second_time(
    tmp_path: Path, pool: Pool
) -> None:
    kernel = _kernel(tmp_path, PRINT + "show 20, ready_row\n" + IDLE)
    for _ in range(2):
        with pool.boot(MachineSpec(kernel, MEMORY)) as guest:
            guest.stop_before("work")
            before = guest.screen.look()
            assert str(before) == ""
            assert before.cursor == (0, 0)
            assert set(before.attributes.flat) == {0x07}
            assert guest.run_until_ready().kind is EndingKind.READY
            assert guest.screen.text.splitlines()[20] == "ready"


def test_what_an_earlier_boot_printed_is_never_on_the_screen(tmp_path: Path) -> None:
    """Or it would be taken for what this one prints.

    A display's memory outlives a reset, and can be read from the moment that the ROM has put the
    display into text mode to the moment that it has blanked it.
    """
    blanking = rom.BASE + rom.direct_boot_rom(0, 0, display=True).index(b"\xf3\x66\xab")
    symbol = f".globl blanking\n.equ blanking, {blanking}\n"
    kernel = _kernel(tmp_path, PRINT + "show 2, ready_row\n" + IDLE + symbol)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        assert machine.boot().run_until_ready().kind is EndingKind.READY
        guest = machine.boot()
        guest.stop_before("blanking")
        assert guest.screen.look().attributes.shape == (25, 80)  # in text mode
        assert "VGA kernel" not in guest.screen.text


def test_the_registers_are_left_as_the_guest_has_set_them(tmp_path: Path, pool: Pool) -> None:
    work = PRINT + "mov $0x3D4, %dx\nmov $0x13, %al\nout %al, %dx\nshow 2, ready_row\n" + IDLE
    with pool.boot(MachineSpec(_kernel(tmp_path, work), MEMORY)) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        guest.screen.look()
        assert guest.qemu("i /b 0x3d4").endswith("= 0x13\r\n")


def test_a_hidden_cursor_and_another_start_of_the_screen(tmp_path: Path, pool: Pool) -> None:
    # The screen begins 2 rows further down: what was row 2 is the first.
    work = PRINT + "show 2, ready_row\ncrt 10, 0x20\ncrt 13, 160\n" + IDLE
    with pool.boot(MachineSpec(_kernel(tmp_path, work), MEMORY)) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        guest.pause()
        shown = guest.screen.look()
        assert shown.cursor is None
        assert shown.rows[0] == "ready"
        assert "paused" in guest.qemu("info status")


def test_a_row_can_be_waited_for(tmp_path: Path, pool: Pool) -> None:
    # Counts for a while before it shows the second row.
    wait = "mov $20000000, %ecx\n3: loop 3b\n"
    work = PRINT + "show 2, ready_row\n" + wait + "show 3, end_row\n" + IDLE
    spec = MachineSpec(kernels.assemble(tmp_path, work, kernels.NO_DESCRIPTION), MEMORY)
    described = replace(
        spec.kernel, description=replace(ON_SCREEN, console=Console(device="screen"))
    )
    with pool.boot(replace(spec, kernel=described)) as guest:
        assert guest.screen.wait_for_line("^VGA .*") == "VGA kernel"
        assert guest.wait_for_line("^panic: (end)") == "panic: end"
        with pytest.raises(GuestEnded) as caught:
            guest.screen.wait_for_line("never", timeout=0.2)
        assert caught.value.ending.kind is EndingKind.HANG
        assert "VGA kernel" in caught.value.ending.console_tail


@pytest.mark.parametrize(
    ("work", "kind", "message"),
    [
        ("show 5, panic_row\ncli\nhlt\n", EndingKind.PANIC, "no frames left"),
        ("show 5, panic_row\nshow 6, end_row\n", EndingKind.PANIC, "no frames left"),
        (kernels.TRIPLE_FAULT, EndingKind.TRIPLE_FAULT, "a fault while"),
    ],
)
def test_ends_are_told_apart_with_the_screen_as_the_tail(
    tmp_path: Path, pool: Pool, work: str, kind: EndingKind, message: str
) -> None:
    with pool.boot(MachineSpec(_kernel(tmp_path, PRINT + work + IDLE), MEMORY)) as guest:
        ending = guest.run_until_ready()
        assert ending.kind is kind
        assert ending.message.startswith(message)
        assert ending.console_tail.startswith("VGA kernel\n╔═╗☺")
        assert "VGA kernel" in guest.screen.text


def test_without_a_display_the_screen_says_what_to_do(tmp_path: Path, pool: Pool) -> None:
    guest = pool.boot(MachineSpec(kernels.assemble(tmp_path, kernels.READY), MEMORY))
    assert not guest.screen.present
    with pytest.raises(NoScreen, match=r"\[console\] device = \"screen\""):
        guest.screen.look()
    with pytest.raises(NoScreen, match="no display"):
        guest.screen.wait_for_line("x")


def test_a_display_in_graphics_mode_has_no_text(tmp_path: Path, pool: Pool) -> None:
    graphics = "mov $0x3CE, %dx\nmov $0x0506, %ax\nout %ax, %dx\n"
    with pool.boot(MachineSpec(_kernel(tmp_path, PRINT + graphics + IDLE), MEMORY)) as guest:
        assert guest.run_until_ready(timeout=0.2).kind is EndingKind.HANG
        with pytest.raises(NoScreen, match="in no text mode"):
            guest.screen.look()


def test_display_memory_is_no_ram_where_there_is_a_display(tmp_path: Path, pool: Pool) -> None:
    kernel = _kernel(tmp_path, PRINT + "show 2, ready_row\n" + IDLE)
    with pool.boot(MachineSpec(kernel, MEMORY)) as guest:
        assert guest.ram.ranges == (range(0xA0000), range(0xC0000, MEMORY))
    moved = replace(kernel.segments[0], physical=0xA8000)
    with pytest.raises(SpecError, match="no RAM at 0xa0000-0xbffff"):
        pool.boot(MachineSpec(replace(kernel, segments=(moved,)), MEMORY))
