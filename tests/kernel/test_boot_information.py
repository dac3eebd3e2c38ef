"""Boot information as loaders may leave it: odd, cut short, or hostile."""

from __future__ import annotations

import dataclasses

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import Ending, EndingKind
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, FillKind, MachineSpec, Module
from harness.maps.notation import parse_compact
from tests.kernel.layouts import both_layouts

pytestmark = both_layouts

MIB = 1 << 20
MEMORY = 16 * MIB
ENTRY = 24  # bytes: size, base, length, type (Multiboot 0.6.96, section 3.3)
[MAP] = parse_compact("0-640K usable, 1M-8M usable, 8M-16M reserved", "the map of this file")


def boot(
    kernel: KernelImage, pool: Pool, shape: BootInformationShape, **spec: object
) -> tuple[Ending, str, str]:
    """Boot with random RAM; return how it ended, the console, and `firmware`'s answer."""
    machine = MachineSpec(kernel, MEMORY, map=MAP, fill=Fill(FillKind.RANDOM, 7), shape=shape)
    with pool.boot(dataclasses.replace(machine, **spec)) as guest:
        ending = guest.run_until_ready()
        ready = ending.kind is EndingKind.READY
        regions = guest.monitor.require("firmware").values["regions"] if ready else ""
        return ending, guest.console.log.text(), regions


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(BootInformationShape(), id="plain"),
        pytest.param(BootInformationShape(entry_sizes=(20, 24, 32)), id="entry sizes"),
        pytest.param(BootInformationShape(map_address=0x8003), id="map at an odd address"),
        pytest.param(BootInformationShape(map_address=0x8FF0), id="map across two pages"),
        pytest.param(BootInformationShape(information_address=0x8FE0), id="mbi across two pages"),
        pytest.param(BootInformationShape(information_address=MEMORY - 72), id="mbi ends with RAM"),
        pytest.param(BootInformationShape(command_line_address=0x6FFC), id="command line"),
        pytest.param(BootInformationShape(memory=False), id="no sizes"),
    ],
)
def test_wherever_and_however_it_lies_the_map_is_read(
    kernel: KernelImage, pool: Pool, shape: BootInformationShape
) -> None:
    _, _, plain = boot(kernel, pool, BootInformationShape())
    ending, _, regions = boot(kernel, pool, shape)
    assert ending.kind is EndingKind.READY, str(ending)
    assert regions == plain == "0x0-0xa0:usable,0x100-0x800:usable,0x800-0x1000:reserved"


def test_an_entry_cut_short_is_ignored_and_said(kernel: KernelImage, pool: Pool) -> None:
    shape = BootInformationShape(map_length=3 * ENTRY - 1)
    _, console, regions = boot(kernel, pool, shape)
    assert f"boot: the last {ENTRY - 1} bytes of the memory map are no entry: ignored" in console
    assert regions == "0x0-0xa0:usable,0x100-0x800:usable"


def test_without_a_map_the_sizes_count(kernel: KernelImage, pool: Pool) -> None:
    shape = BootInformationShape(memory_map=False, memory_lower=639, memory_upper=4 * 1024)
    _, _, regions = boot(kernel, pool, shape)
    assert regions == "0x0-0x9f:usable,0x100-0x500:usable"


def test_knowing_nothing_of_memory_is_refused(kernel: KernelImage, pool: Pool) -> None:
    ending, _, _ = boot(kernel, pool, BootInformationShape(memory=False, memory_map=False))
    assert ending.kind is EndingKind.REFUSED


@pytest.mark.parametrize("count", [257, 1 << 28, (1 << 32) - 1])
def test_more_modules_than_can_be_kept_are_refused(
    kernel: KernelImage, pool: Pool, count: int
) -> None:
    ending, _, _ = boot(kernel, pool, BootInformationShape(module_count=count))
    assert ending.kind is EndingKind.REFUSED
    assert f"{count} boot modules" in ending.message


def test_a_map_without_end_is_survived(kernel: KernelImage, pool: Pool) -> None:
    shape = BootInformationShape(map_length=(1 << 32) - 1)
    ending, _, _ = boot(kernel, pool, shape)
    assert ending.kind in (EndingKind.READY, EndingKind.REFUSED), str(ending)


def test_modules_keep_their_bytes(kernel: KernelImage, pool: Pool) -> None:
    data = bytes(range(256)) * 33
    modules = (Module(data, "first"), Module(b"x", ""))
    shape = BootInformationShape(module_strings=False)
    spec = MachineSpec(kernel, 4 * MIB, modules=modules, shape=shape)
    with pool.boot(spec) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        place = next(p for p in guest.placements if p.length == len(data))
        while guest.monitor.command("alloc 0 zero").ok:
            continue
        assert bytes(guest.ram.read(place.start, place.length)) == data


def test_a_long_command_line_is_cut_and_said(kernel: KernelImage, pool: Pool) -> None:
    ending, console, _ = boot(kernel, pool, BootInformationShape(), append="word " * 400)
    assert ending.kind is EndingKind.READY
    assert "boot: command line of " in console
    assert ": cut at 1023" in console
