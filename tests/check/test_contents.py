"""Bytes that must survive: each changed one is reported, with what it was and where it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from harness.check.contents import check_contents
from harness.check.inspect import inspect_guest
from harness.image.description import Description
from harness.image.kernel_image import KernelImage, Segment
from harness.image.schema.frames import FreeLists
from harness.machine.machine import Machine
from harness.machine.spec import BootPath, MachineSpec, Module
from tests.check import example
from tests.check.example import BASE
from tests.decode.memory import ByteRam

TEXT, DATA = 0x100000, 0x101000
CODE = bytes(range(1, 65))
GIVEN = b"what the boot loader left"
GIVEN_AT = 0x9000
MANAGED = Description(free_lists=(FreeLists("buddy", "head"),))


@dataclass(frozen=True)
class Kept(example.Placement):
    data: bytes = b""


PLACED = Kept("command line", GIVEN_AT, len(GIVEN), GIVEN)


@pytest.fixture
def image(tmp_path_factory: pytest.TempPathFactory) -> KernelImage:
    described = example.kernel(tmp_path_factory.mktemp("example"))
    segments = (
        Segment(TEXT, BASE + TEXT, CODE, len(CODE) + 16, writable=False, executable=False),
        Segment(DATA, BASE + DATA, CODE, 0x1000, writable=True, executable=False),
    )
    return replace(described, segments=segments, description=MANAGED)


@pytest.fixture
def ram() -> ByteRam:
    memory = ByteRam(range(0x200000))
    memory.write(TEXT, CODE)
    memory.write(GIVEN_AT, GIVEN)
    return memory


def test_what_nobody_wrote_to_is_clean(image: KernelImage, ram: ByteRam) -> None:
    assert check_contents(image, ram, [PLACED]) == ()


def test_the_first_changed_byte_of_a_segment_is_named(image: KernelImage, ram: ByteRam) -> None:
    ram.write(TEXT + 5, b"\xaa\x07\xbb")
    [found] = check_contents(image, ram, [PLACED])
    assert (found.kind, found.address, found.physical) == ("contents.read-only", TEXT + 5, True)
    assert found.message == (
        "the kernel's read-only data at physical 0x100005 (virtual 0xc0100005) "
        "holds aa 07 bb where the ELF has 06 07 08 (2 bytes differ)"
    )


@pytest.mark.parametrize("offset", [0, len(CODE) - 1, len(CODE), len(CODE) + 15])
def test_each_byte_of_a_segment_counts(image: KernelImage, ram: ByteRam, offset: int) -> None:
    ram.write(TEXT + offset, b"\xff")
    [found] = check_contents(image, ram, [])
    assert found.address == TEXT + offset


@pytest.mark.parametrize("address", [TEXT + len(CODE) + 16, DATA, DATA + 0xFFF, GIVEN_AT - 1])
def test_other_memory_may_change(image: KernelImage, ram: ByteRam, address: int) -> None:
    ram.write(address, b"\xff")
    assert check_contents(image, ram, [PLACED]) == ()


def test_what_the_boot_loader_left_is_compared(image: KernelImage, ram: ByteRam) -> None:
    ram.write(GIVEN_AT + len(GIVEN) - 1, b"T")
    [found] = check_contents(image, ram, [PLACED])
    assert found.kind == "contents.boot-loader"
    assert found.message == (
        "the boot loader's command line at physical 0x9018 "
        "holds 54 where the kernel was given 74 (1 byte differs)"
    )


def test_a_kernel_without_a_memory_manager_keeps_only_itself(
    image: KernelImage, ram: ByteRam
) -> None:
    ram.write(GIVEN_AT, b"W")
    assert check_contents(replace(image, description=Description.none()), ram, [PLACED]) == ()


def test_what_the_loader_left_among_the_kernel_s_variables_is_theirs(
    image: KernelImage, ram: ByteRam
) -> None:
    straddling = Kept("module 0", DATA - 4, 8, bytes(8))
    ram.write(DATA, b"\xff\xff")
    assert check_contents(image, ram, [straddling]) == ()
    ram.write(DATA - 1, b"\xff")
    [found] = check_contents(image, ram, [straddling])
    assert found.address == DATA - 1


def test_a_segment_where_no_ram_is(image: KernelImage) -> None:
    [found] = check_contents(image, ByteRam(range(0x80000)), [])
    assert (found.kind, found.address) == ("contents.absent", TEXT)


@pytest.mark.parametrize("path", [BootPath.MULTIBOOT, BootPath.ISO])
def test_what_firmware_s_loaders_left(kernel: KernelImage, path: BootPath) -> None:
    """The copy is taken before the kernel runs, whoever put the bytes there."""
    module = Module(bytes(range(256)) * 20, "a module")
    spec = MachineSpec(kernel, 32 << 20, boot=path, modules=(module,))
    with Machine(spec) as machine, machine.boot() as guest:
        guest.run_until_ready()
        guest.pause()
        assert inspect_guest(guest).violations == ()
        [copy] = [one.data for one in guest.placements if one.name == "module 0"]
        assert copy == module.data
        for placed in guest.placements:
            last = placed.start + placed.length - 1
            byte = guest.ram.read(last, 1)
            guest.ram.write(last, bytes([byte[0] ^ 0x80]))
            [found] = inspect_guest(guest).violations
            guest.ram.write(last, byte)
            assert (found.kind, found.address) == ("contents.boot-loader", last)
