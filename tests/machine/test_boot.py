"""The three boot paths: what reaches the kernel, and a chosen map on each of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.machine.ending import EndingKind
from harness.machine.guest import Guest
from harness.machine.limits import LONGEST_LINE, LONGEST_WORD
from harness.machine.machine import Machine
from harness.machine.multiboot import Placement
from harness.machine.shape import BootInformationShape
from harness.machine.spec import BootPath, Fill, FillKind, MachineSpec, Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from tests.machine import kernels

MEMORY = 32 << 20
CHOSEN = MemoryMap(
    (
        Region(0x1800000, 0x800000, 1),
        Region(0, 0x9F000, 1),
        Region(0x100000, 0xF00000, 1),
        Region(0x2FFF123, 0x1, 0x101),
        Region(0x1000000, 0x800000, 20),
    )
)
PATHS = list(BootPath)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test build its own CD image."""
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("path", PATHS)
def test_a_chosen_map_reaches_the_kernel(tmp_path: Path, path: BootPath) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, MEMORY, CHOSEN, path)) as machine:
        guest = machine.boot()
        assert guest.memory_map.entries == CHOSEN.entries
        assert guest.run_until_ready().kind is EndingKind.READY
        guest.pause()
        seen = guest.ram.array(kernel.symbol("boot_eax"), "<u4", 2).tolist()
        # Multiboot 0.6.96, section 3.2: EAX holds the magic number, EBX the address.
        information = next(p for p in guest.placements if p.name == "boot information")
        assert seen == [0x2BADB002, information.start]
        # Section 3.3: mmap_length and mmap_addr at offsets 44 and 48; the first entry's size.
        length, address = guest.ram.array(information.start + 44, "<u4", 2).tolist()
        assert length == 24 * len(CHOSEN.entries)
        assert guest.ram.array(address, "<u4", 3).tolist() == [20, 0x1800000, 0]


@pytest.mark.parametrize("path", PATHS)
def test_modules_and_command_line(tmp_path: Path, path: BootPath) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    contents = (b"first module" * 1000, b"second")
    modules = (Module(contents[0], "one two"), Module(contents[1]))
    spec = MachineSpec(kernel, MEMORY, None, path, append="alpha=1 beta", modules=modules)
    with Machine(spec) as machine:
        guest = machine.boot()
        assert guest.information is not None
        assert guest.information.command_line.endswith("alpha=1 beta")
        for index, content in enumerate(contents):
            place = next(p for p in guest.placements if p.name == f"module {index}")
            assert place.start % 4096 == 0
            assert guest.ram.read(place.start, place.length) == content
        assert guest.run_until_ready().kind is EndingKind.READY


ODD_LINE = """a  b "q" it's \\x $y ${z} @MODULES@ {c;d} #e <f> |&!~*?  é漢, g,,h """


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("chosen", [None, CHOSEN], ids=["own map", "chosen map"])
def test_every_path_tells_the_same_line(
    tmp_path: Path, path: BootPath, chosen: MemoryMap | None
) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, MEMORY, chosen, path, append=ODD_LINE)) as machine:
        guest = machine.boot()
        assert guest.run_until_ready().kind is EndingKind.READY
        guest.pause()
        # As the kernel would find it: EBX, flags bit 2, cmdline at offset 16 (section 3.3).
        (information,) = guest.ram.array(kernel.symbol("boot_ebx"), "<u4", 1).tolist()
        flags, *_, line = guest.ram.array(information, "<u4", 5).tolist()
        wanted = f"kernel.elf {ODD_LINE}".encode() + b"\0"
        assert flags & 1 << 2
        assert guest.ram.read(line, len(wanted)) == wanted


@pytest.mark.parametrize("path", PATHS)
def test_long_lines(tmp_path: Path, path: BootPath) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    words = ("x" * (LONGEST_WORD - 2) + " ") * 20
    line = words[:LONGEST_LINE]
    with Machine(MachineSpec(kernel, MEMORY, None, path, append=line)) as machine:
        guest = machine.boot()
        (address,) = guest.ram.array(information_address(guest) + 16, "<u4", 1).tolist()
        wanted = f"kernel.elf {line}".encode() + b"\0"
        assert guest.ram.read(address, len(wanted)) == wanted


def information_address(guest: Guest) -> int:
    return next(p.start for p in guest.placements if p.name == "boot information")


@pytest.mark.slow
def test_a_loader_that_gives_up_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRUB is told to load a file that is not on the CD, and waits for a key."""
    monkeypatch.setattr("harness.machine.boot_firmware.FIRMWARE_TIMEOUT", 2.0)
    kernel = kernels.assemble(tmp_path, kernels.READY)
    (tmp_path / "iso").mkdir()
    template = "set timeout=0\nmenuentry k {\n multiboot /nowhere.elf\n boot\n}\n"
    (tmp_path / "iso" / "grub.cfg.in").write_text(template)
    kernel = replace(
        kernel, description=replace(kernel.description, path=tmp_path / "harness.toml")
    )
    with Machine(MachineSpec(kernel, MEMORY, boot=BootPath.ISO)) as machine:
        ending = machine.boot().run_until_ready()
    assert ending.kind is EndingKind.WRONG_IMAGE
    assert f"0x{kernel.entry:x} was not reached" in ending.message
    assert "the screen says: " in ending.message
    assert "file `/nowhere.elf' not found" in ending.message


def test_qboot(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, MEMORY, boot=BootPath.MULTIBOOT, firmware="qboot")) as machine:
        guest = machine.boot()
        assert guest.run_until_ready().kind is EndingKind.READY
        assert guest.memory_map.usable_bytes > MEMORY // 2


def test_grub_cuts_memory_out(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    hole = range(0x1000000, 0x1100000)
    with Machine(MachineSpec(kernel, MEMORY, boot=BootPath.ISO, cutmem=(hole,))) as machine:
        frames = machine.boot().memory_map.usable_frames()
        assert not any(f.start < 0x1100 and f.stop > 0x1000 for f in frames)
        assert any(f.stop == 0x1000 for f in frames)
        assert any(f.start == 0x1100 for f in frames)


def overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


def byte_range(placement: Placement) -> range:
    return range(placement.start, placement.start + placement.length)


def test_direct_placements_collide_with_nothing(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    modules = tuple(Module(bytes([n]) * 5000 * (n + 1), f"m{n}") for n in range(5))
    with Machine(MachineSpec(kernel, MEMORY, CHOSEN, modules=modules)) as machine:
        guest = machine.boot()
    places = [byte_range(placement) for placement in guest.placements]
    for index, place in enumerate(places):
        assert not overlap(place, kernel.image_range())
        assert not any(overlap(place, other) for other in places[:index])
        assert any(
            region.base <= place.start and place.stop <= region.end
            for region in CHOSEN.usable_regions()
        )


def test_a_map_without_usable_memory_boots_all_the_same(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    nothing = MemoryMap((Region(0, MEMORY, 2),))
    with Machine(MachineSpec(kernel, MEMORY, nothing)) as machine:
        guest = machine.boot()
        assert guest.memory_map.entries == nothing.entries
        assert guest.run_until_ready().kind is EndingKind.READY


def test_boot_information_takes_the_shape_that_is_asked_for(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    shape = BootInformationShape(
        memory=False, entry_sizes=(20, 24, 32), map_address=0x500001, map_length=75
    )
    with Machine(MachineSpec(kernel, MEMORY, CHOSEN, shape=shape)) as machine:
        guest = machine.boot()
        assert guest.information is not None
        address = next(p.start for p in guest.placements if p.name == "boot information")
        # Section 3.3: flags at 0, mmap_length at 44, mmap_addr at 48.
        assert guest.ram.array(address, "<u4", 1)[0] & 0b1000001 == 0b1000000
        assert guest.ram.array(address + 44, "<u4", 2).tolist() == [75, 0x500001]
        sizes = [guest.ram.array(0x500001 + at, "<u4", 1)[0] for at in (0, 24, 52, 88)]
        assert sizes == [20, 24, 32, 20]
        # 75 bytes hold two entries (24 + 28 bytes); the third (36 bytes) is cut short.
        assert guest.memory_map.entries == CHOSEN.entries[:2]
        assert guest.run_until_ready().kind is EndingKind.READY


@pytest.mark.parametrize(
    ("memory", "chosen", "expected"),
    [
        (3583 << 20, None, [range(3583 << 20)]),
        (3584 << 20, None, [range(3 << 30), range(1 << 32, (1 << 32) + (512 << 20))]),
        (3900 << 20, CHOSEN, [range(3900 << 20)]),
        (5 << 30, CHOSEN, [range(3 << 30), range(1 << 32, 6 << 30)]),
    ],
)
def test_ram_answers_exactly_where_it_is_said_to(
    tmp_path: Path, memory: int, chosen: MemoryMap | None, expected: list[range]
) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, memory, chosen, fill=Fill(FillKind.ZERO))) as machine:
        guest = machine.boot()
        assert guest.run_until_ready().kind is EndingKind.READY
        assert list(guest.ram.ranges) == expected
        guest.pause()
        for ram in expected:
            for address in (ram.start + 0x2000, ram.stop - 4):
                guest.ram.write(address, b"\x78\x56\x34\x12")
                # QEMU's own view of physical memory.
                assert "0x12345678" in guest.qemu(f"xp /1xw 0x{address:x}")
        # The ROM area below 1 MiB is RAM on this path.
        guest.ram.write(0xF1230, b"\x21\x43\x65\x87")
        assert "0x87654321" in guest.qemu("xp /1xw 0xf1230")


@pytest.mark.parametrize("memory", [0xFD000000, 0xFD002000])
def test_firmware_has_room_for_the_display_beside_much_memory(tmp_path: Path, memory: int) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    fill = Fill(FillKind.ZERO)
    spec = MachineSpec(kernel, memory, CHOSEN, BootPath.MULTIBOOT, fill=fill)
    with Machine(spec) as machine:
        guest = machine.boot()
        assert guest.run_until_ready().kind is EndingKind.READY
        low = memory if memory == 0xFD000000 else 3 << 30
        assert guest.ram.ranges[1] == range(0x100000, low)
        guest.pause()
        guest.ram.write(low - 4, b"\x78\x56\x34\x12")
        assert "0x12345678" in guest.qemu(f"xp /1xw 0x{low - 4:x}")


@pytest.mark.parametrize("path", [BootPath.MULTIBOOT, BootPath.ISO])
def test_firmware_leaves_a_display_in_text_mode(tmp_path: Path, path: BootPath) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, MEMORY, boot=path)) as machine:
        guest = machine.boot()
        assert list(guest.ram.ranges) == [range(0xA0000), range(0x100000, MEMORY)]
        for address in (0x2000, 0x100000, MEMORY - 4):
            guest.ram.write(address, b"\x78\x56\x34\x12")
            assert "0x12345678" in guest.qemu(f"xp /1xw 0x{address:x}")
        # 80 x 25 cells of a character and a colour; blank ones are spaces in grey (0x07).
        shown = guest.qemu("xp /2000xh 0xb8000").split()
        cells = [int(word, 16) for word in shown if word.startswith("0x")]
        assert len(cells) == 2000
        assert 0x0720 in cells
        text = "".join(chr(cell & 0xFF) for cell in cells)
        assert "SeaBIOS" in text or "GRUB" in text or "Booting" in text, text


def test_stop_before_a_function(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        guest.stop_before("work")
        assert guest.registers().eip == kernel.symbol("work")
        assert guest.console.log.text() == "kernel: first\n"
        assert guest.run_until_ready().kind is EndingKind.READY
